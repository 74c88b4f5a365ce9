"""Tables of outputs and routes: what they give, and how mistakes are told."""

from __future__ import annotations

import tomllib

import pytest
from documents import finding, notice

from kubestray.config import READERS, load_config
from kubestray.model.errors import UsageError
from kubestray.notify.configuration import Configured, read
from kubestray.notify.notifier import routes_to
from kubestray.notify.output import NotDelivered
from kubestray.notify.outputs import OUTPUTS, output_class
from kubestray.notify.route import Route

SECRET = "s3cr3t-t0k3n-0123456789"
ENVIRONMENT = {"HOOK": f"https://hooks.example/services/{SECRET}", "TOKEN": SECRET, "EMPTY": " "}


def told(text: str, **environment: str) -> Configured:
    return read(tomllib.loads(text), "kubestray.toml", {**ENVIRONMENT, **environment}, READERS)


def test_outputs_and_routes(tmp_path):
    (tmp_path / "token").write_text(f"{SECRET}\n")
    found = told(f"""
        [[output]]
        name = "soc"
        type = "ocsf_webhook"
        url = "https://soc.example:8443/in"
        token_file = "{tmp_path}/token"
        timeout = "3s"
        [[output]]
        name = "disk"
        type = "ocsf_file"
        path = "{tmp_path}/out.jsonl"
        max_size = "1MiB"
        keep = 3
        [[output]]
        name = "oncall"
        type = "slack"
        url_env = "HOOK"
        [[route]]
        outputs = ["oncall"]
        min_severity = "high"
        namespaces = ["shop", "pay-*"]
        kinds = ["incident"]
        wait = "30s"
    """)
    assert [(one.name, one.type, one.where) for one in found.outputs] == [
        ("soc", "ocsf_webhook", "https://soc.example:8443"),
        ("disk", "ocsf_file", f"{tmp_path}/out.jsonl"),
        ("oncall", "slack", "https://hooks.example"),
    ]
    route = Route(("oncall",), "high", kinds=("incident",), namespaces=("shop", "pay-*"), wait=30 * 10**9)
    assert found.routes == (route,)
    assert routes_to("oncall", found.routes) == [route]
    assert routes_to("soc", found.routes) == [Route(("soc",))]
    assert SECRET not in repr(found)


def test_nothing_configured():
    assert told("") == Configured()


AM = '[[output]]\nname = "am"\ntype = "alertmanager"\nurl = "http://am:9093"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[output]]\ntype = "slack"', "output 1: name"),
        ('[[output]]\nname = "a b"\ntype = "slack"', "output 1: name"),
        ('[[output]]\nname = "x"\ntype = "slak"', "did you mean slack"),
        ('[[output]]\nname = "x"', "known are ocsf_file"),
        ('[output]\nname = "x"', r"begin each with \[\[output\]\]"),
        (f'{AM}repeats = "1m"', "did you mean repeat"),
        (f'{AM}token = "{SECRET}"', "token is a secret; give token_env or token_file"),
        (f'{AM}url_env = "HOOK"', "url and url_env say the same"),
        (f'{AM}token_env = "NOWHERE"', "NOWHERE is not set"),
        (f'{AM}token_env = "EMPTY"', "EMPTY is not set"),
        (f'{AM}token_file = "/nowhere/at/all"', "/nowhere/at/all cannot be read"),
        (f'{AM}timeout = "soon"', "timeout: 'soon' expected a length of time"),
        (f'{AM}{AM}', "two outputs have the name 'am'"),
        ('[[output]]\nname = "x"\ntype = "alertmanager"', "url or url_env or url_file is missing"),
        ('[[output]]\nname = "x"\ntype = "slack"', "needs a webhook"),
        ('[[output]]\nname = "x"\ntype = "slack"\nurl_env="HOOK"\nchart = "yes"', "expected true or false"),
        (f'[[output]]\nname = "x"\ntype = "alertmanager"\nurl = "ftp://{SECRET}"', "http:// or https://"),
        (f'[[output]]\nname = "x"\ntype = "alertmanager"\nurl = "http://u:{SECRET}@h"', "password_env"),
        ('[[output]]\nname = "x"\ntype = "alertmanager"\nurl = "http://h:99999/"', "expected a URL"),
        (f'{AM}[[route]]\noutputs = ["ap"]', "there is no 'ap'; known are am"),
        (f'{AM}[[route]]\nmin_severity = "high"', "route 1: outputs is missing"),
        (f'{AM}[[route]]\noutputs = ["am"]\nmin_severity = "hihg"', "did you mean high"),
        (f'{AM}[[route]]\noutputs = ["am"]\nkinds = ["incidents"]', "did you mean incident"),
        (f'{AM}[[route]]\noutputs = ["am"]\nentity_kinds = ["prod"]', "did you mean pod"),
        (f'{AM}[[route]]\noutputs = ["am"]\nnamespace = ["a"]', "did you mean namespaces"),
        (f'{AM}[[route]]\noutputs = ["am"]\nnamespaces = "a"', "expected a list"),
        (f'{AM}[[route]]\noutputs = ["am"]\nwait = "never"', "wait: 'never' expected a length of time"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(text, message):
    with pytest.raises(UsageError, match=message) as error:
        told(text)
    assert str(error.value).startswith("kubestray.toml: ")
    assert SECRET not in str(error.value)


def test_who_only_asks_needs_no_secrets():
    text = '[[output]]\nname = "x"\ntype = "slack"\nurl_env = "NOWHERE"'
    found = read(tomllib.loads(text), "f", {}, READERS, look=False)
    assert found.outputs[0].where == "the environment variable NOWHERE is not set"
    with pytest.raises(NotDelivered, match="NOWHERE is not set"):
        found.outputs[0].deliver(notice(finding()))
    with pytest.raises(UsageError, match="expected a URL"):
        read(tomllib.loads(AM.replace("http:", "ftp:")), "f", {}, READERS, look=False)


def test_secrets_may_be_in_variables_that_begin_as_ours(tmp_path):
    file = tmp_path / "kubestray.toml"
    file.write_text(f'{AM}token_env = "KUBESTRAY_AM_TOKEN"\n')
    environment = {"KUBESTRAY_AM_TOKEN": SECRET}
    assert load_config({}, environment, file).tables.origin == f"--config {file}"
    with pytest.raises(UsageError, match="KUBESTRAY_AM_TOKEN"):
        load_config({}, environment, None)


def test_a_file_of_settings_may_hold_both(tmp_path):
    file = tmp_path / "kubestray.toml"
    file.write_text(f'retention_raw = "3d"\n{AM}')
    config = load_config({}, {}, file)
    assert config["retention_raw"] == 3 * 86_400 * 10**9
    assert config.tables.tables["output"][0]["name"] == "am"
    file.write_text(AM.replace("[[output]]", "[[outputs]]"))
    with pytest.raises(UsageError, match="did you mean output"):
        load_config({}, {}, file)


@pytest.mark.parametrize("kind", OUTPUTS)
def test_every_type_is_named_as_its_module_and_explains_its_keys(kind):
    made = output_class(kind)
    assert made.__module__.endswith(f".{kind}")
    assert all(key.help.endswith((".", "]")) or key.help for key in made.keys)
    assert len({key.name for key in made.keys}) == len(made.keys)


def test_a_secret_in_a_file_may_change(tmp_path):
    (tmp_path / "token").write_text("old")
    found = told(f'{AM}token_file = "{tmp_path}/token"')
    secret = found.outputs[0]._values["token"]
    (tmp_path / "token").write_text("new\n")
    assert secret.reveal() == "new"
