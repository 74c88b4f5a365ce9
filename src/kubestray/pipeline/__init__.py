"""Where the stages are put together: receive → store → search → detect → risk → notify.

`setting_up` turns settings into a store, content and searches; `detecting` is detect → risk;
`ingesting` is files → store; `notifying` is findings → outputs; `server` is all of it, running.
"""
