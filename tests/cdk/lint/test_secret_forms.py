# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets by their shapes: each is found where it stands, and what only resembles one is not."""

from __future__ import annotations

import base64
import datetime as dt
import json
import random
import re
import string
import time
import tomllib
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkeys._lint.findings import Finding
from mlkeys._lint.secrets import found_in, secrets_in
from mlkeys._lint.sieve import long_rows, sieve_of
from mlkeys._providers.gitleaks import forms_of
from mlkeys._providers.go_expressions import for_python
from mlkeys._providers.key_patterns import Form, Patterns, built_in, marked
from mlkeys._providers.literals import named_secrets_in
from mlkeys._providers.marks import built_in_marks, may_hold_a_secret
from tests.cdk import keys
from tests.cdk.apps import ROOT
from tests.cdk.keys import ALNUM, BASE32, HEX, LETTERS, URL, some

UUID = "-".join(some(HEX, length) for length in (8, 4, 4, 4, 12))
BEDROCK = base64.b64encode(f"bedrock.amazonaws.com/?Action=CallWithBearerToken&X={some(ALNUM, 90)}".encode()).decode()

#: What it is called, and one of its kind.
STANDING_ALONE = [
    ("an Anthropic API key", keys.anthropic()),
    ("an Anthropic API key", f"sk-ant-admin01-{some(URL, 93)}AA"),
    ("an Anthropic API key", f"sk-ant-oat01-{some(URL, 93)}AA"),
    ("an OpenAI API key", keys.openai()),
    ("an OpenAI API key", f"sk-{some(ALNUM, 20)}T3BlbkFJ{some(ALNUM, 20)}"),
    ("an OpenAI API key", f"sk-proj-{some(ALNUM, 20)}T3BlbkFJ{some(ALNUM, 20)}"),
    ("an OpenAI API key", f"sk-svcacct-{some(URL, 74)}T3BlbkFJ{some(URL, 74)}"),
    ("an OpenAI API key", f"sk-admin-{some(URL, 58)}T3BlbkFJ{some(URL, 58)}"),
    ("an OpenRouter API key", f"sk-or-v1-{some(HEX, 64)}"),
    ("a secret key of Langfuse", f"sk-lf-{UUID}"),
    ("a Hugging Face token", keys.hugging_face()),
    ("a Hugging Face organisation's token", f"api_org_{some(LETTERS, 34)}"),
    ("a Google API key", f"AIzaSy{some(URL, 33)}"),
    ("a Gemini API key", f"AQ.Ab8RN6{some(URL, 44)}"),
    ("an Amazon Bedrock API key", f"ABSK{some(ALNUM, 128)}=="),
    ("a short-lived Amazon Bedrock API key", f"bedrock-api-key-{BEDROCK}"),
    ("a key of an Azure service", keys.cask()),
    ("a Replicate token", f"r8_{some(ALNUM, 37)}"),
    ("a Groq API key", f"gsk_{some(ALNUM, 52)}"),
    ("an xAI API key", f"xai-{some(ALNUM, 80)}"),
    ("a Perplexity API key", f"pplx-{some(ALNUM, 48)}"),
    ("an NVIDIA API key", f"nvapi-{some(URL, 64)}"),
    ("a Cerebras API key", f"csk-{some(string.ascii_lowercase + string.digits, 48)}"),
    ("a Together AI API key", f"tgp_v1_{some(URL, 43)}"),
    ("a LangSmith API key", f"lsv2_pt_{some(HEX, 32)}_{some(HEX, 10)}"),
    ("a LangSmith API key", f"lsv2_sk_{some(HEX, 32)}_{some(HEX, 10)}"),
    ("a Weights & Biases API key", f"wandb_v1_{some(ALNUM, 77)}"),
    ("an ElevenLabs API key", f"sk_{some(HEX, 48)}"),
    ("a Pinecone API key", f"pcsk_{some(ALNUM, 5)}_{some(ALNUM, 63)}"),
    ("a Jina AI API key", f"jina_{some(ALNUM, 60)}"),
    ("a Databricks token", f"dapi{some(HEX, 32)}-2"),
    ("a DeepSeek API key, or one of the same form", f"sk-{some(HEX, 32)}"),
    ("an API key of a provider or gateway", f"sk-{some(ALNUM, 48)}"),
    ("an AWS access key", f"AKIA{some(BASE32, 16)}"),
    ("an AWS access key", f"ASIA{some(BASE32, 16)}"),
    ("a token of Vault", f"hvs.{some(URL, 95)}"),
    ("a token of Vault", f"hvs.{some(ALNUM, 24)}"),
    ("a token of Vault", f"hvb.{some(URL, 150)}"),
    ("a token of OpenBao", f"s.{some(ALNUM, 24)}"),
    ("a token of OpenBao", f"s.{some(ALNUM, 24)}.{some(ALNUM, 5)}"),
    ("a token of OpenBao", f"b.AAAAA{some(URL, 160)}"),
    ("a GitHub token", f"ghp_{some(ALNUM, 36)}"),
    ("a GitHub token", f"github_pat_{some(ALNUM, 22)}_{some(ALNUM, 59)}"),
    ("a GitLab token", f"glpat-{some(URL, 20)}"),
    ("a Slack token", f"xoxb-{some(string.digits, 12)}-{some(string.digits, 12)}-{some(ALNUM, 24)}"),
    ("a secret key of age", f"AGE-SECRET-KEY-1{some(BASE32, 58)}"),
    ("a private key", keys.private_key()),
    ("a private key", keys.private_key("RSA ")),
    ("a private key", keys.private_key("OPENSSH ", line_end="\\n")),
    ("a private key", keys.private_key("EC ", line_end="\r\n")),
]

#: What it is called, where it stands, and one of its kind; elsewhere it could be anything.
BY_ITS_NAME = [
    ("an Azure OpenAI key", "AZURE_OPENAI_API_KEY={}", some(HEX, 32)),
    ("an Azure OpenAI key", 'AzureOpenAI(azure_endpoint=url, api_key="{}")', some(HEX, 32)),
    ("a Together AI API key", "together_api_key: {}", some(HEX, 64)),
    ("a Fireworks AI API key", 'FIREWORKS_API_KEY="{}"', f"fw_{some(ALNUM, 24)}"),
    ("a Fireworks AI API key", "fireworksKey: '{}'", some(ALNUM, 48)),
    ("a Mistral API key", "MISTRAL_API_KEY={}", some(ALNUM, 32)),
    ("a Mistral API key", '"mistral": {{"apiKey": "{}"}}', some(ALNUM, 32)),
    ("a Mistral API key", "client = Mistral(api_key='{}')", some(ALNUM, 32)),
    ("a Cohere API key", "COHERE_API_KEY: {}", some(ALNUM, 40)),
    ("a Cohere API key", "export CO_API_KEY={}", some(ALNUM, 40)),
    ("a Cohere API key", 'co = cohere.Client("{}")', some(ALNUM, 40)),
    ("a Weights & Biases API key", "WANDB_API_KEY={}", some(HEX, 40)),
    ("a Weights & Biases API key", "wandb login {}", some(HEX, 40)),
    ("a Deepgram API key", "deepgram_api_key: {}", some(HEX, 40)),
    ("an AssemblyAI API key", "ASSEMBLYAI_API_KEY={}", some(HEX, 32)),
    ("a Voyage AI API key", "VOYAGE_API_KEY={}", f"pa-{some(URL, 43)}"),
    ("a key of a LiteLLM gateway", "LITELLM_MASTER_KEY={}", f"sk-{some(ALNUM, 22)}"),
    ("an AWS secret access key", "aws_secret_access_key = {}", some(ALNUM + "+/", 40)),
    ("an AWS secret access key", "AWS_SECRET_ACCESS_KEY={}", some(ALNUM + "+/", 40)),
    ("an AWS secret access key", '"SecretAccessKey": "{}"', some(ALNUM + "+/", 40)),
]

PLACES = ["{}", "KEY={}\n", 'key: "{}"', "'{}',", "Authorization: Bearer {}", "a\\n{}\\nb", "<{}>", "key={};", "`{}`."]


def found(text: str) -> list[Finding]:
    return secrets_in(text, "some/file")


@pytest.mark.parametrize(("what", "secret"), STANDING_ALONE, ids=lambda value: value[:24])
def test_a_secret_is_found_wherever_it_stands(what: str, secret: str) -> None:
    for place in PLACES:
        text = place.format(secret)
        (one,) = found(f"first line\n{text}")
        assert one.message.startswith(f"{what} "), one.message
        assert (one.line, one.column) == (2 + text[: text.index(secret)].count("\n"), text.index(secret) + 1)
        assert secret not in one.message
        # Nor much of it: what is shown is the same in each secret of the kind.
        assert not any(secret[begin : begin + 12] in one.message for begin in range(8, len(secret) - 12))


@pytest.mark.parametrize(("what", "text", "secret"), BY_ITS_NAME, ids=lambda value: value[:24])
def test_a_secret_without_a_form_is_found_by_the_name_before_it(what: str, text: str, secret: str) -> None:
    (one,) = found(text.format(secret))
    assert re.fullmatch(rf"{re.escape(what)}( \(\S+…\))? in plain text", one.message)
    assert one.column == text.format(secret).index(secret) + 1
    assert not found(f"checksum: {secret}")


#: A key of the short-lived kind is an address with a signature: as long as that is.
OF_ANY_LENGTH = ("a private key", "a short-lived Amazon Bedrock API key")


@pytest.mark.parametrize(
    "secret", [secret for what, secret in STANDING_ALONE if what not in OF_ANY_LENGTH], ids=lambda value: value[:24]
)
def test_what_is_longer_or_shorter_than_the_shape_is_something_else(secret: str) -> None:
    core = secret.rstrip("=")
    form = next(form for form in built_in().forms if any(form.spans(secret)))
    assert bool(found(f"x{core}")) is form.anywhere
    assert not found(f"{core}{some(ALNUM, 400)}")
    assert not found(core[: len(core) // 2])


NEAR_MISSES = [
    "OPENAI_API_KEY=sk-...",
    "OPENAI_API_KEY=<your key>",
    "OPENAI_API_KEY=${OPENAI_API_KEY}",
    f"sk-proj-FAKE{some(URL, 70)}T3BlbkFJ{some(URL, 74)}",
    f"sk-ant-api03-your-key-{some(URL, 84)}AA",
    f"sk-{some(ALNUM, 13)}EXAMPLET3BlbkFJ{some(ALNUM, 20)}",
    f"sk-{'x' * 20}T3BlbkFJ{'x' * 20}",
    f"sk-{some(ALNUM, 12)}{'0' * 8}T3BlbkFJ{some(ALNUM, 20)}",
    "sk-abcdefghijklmnopqrstT3BlbkFJabcdefghijklmnopqrst",
    f"sk-{HEX}{HEX}",
    f"sk-{'deadbeef' * 4}",
    "sk-loading-indicator-that-is-a-class-of-a-style-sheet",
    f"sk-{'a-b-c-' * 8}",
    "task-" + some(HEX, 32),
    "AKIAIOSFODNN7EXAMPLE",
    "hf_hub_download_with_a_rather_long_name_of_a_function",
    "hf_" + "abcdefghijklmnopqrstuvwxyzabcdefgh",
    f"hf_{some(LETTERS, 33)}",
    f"/{some(ALNUM, 30)}/AIza{some(ALNUM, 35)}",
    f"{some(ALNUM, 52)}JQQK99{some(ALNUM, 1)}C{some(ALNUM, 24)}",
    "this.someMethodWithALongNameX(1)",
    "s.someMethodWithALongName1(x)",
    "s.somethingthatisalllower1",
    "vars.some_other_thing_of_this_length",
    "-----BEGIN PRIVATE KEY-----",
    '"-----BEGIN PRIVATE KEY-----" in text',
    f"-----BEGIN PRIVATE KEY-----\\nMIIE{some(ALNUM, 60)}...{some(ALNUM, 8)}\\n-----END PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\nEXAMPLE{some(ALNUM, 57)}\n-----END PRIVATE KEY-----",
    f"pinecone index key: {some(HEX, 32)}",
    f"password salt key: {some(HEX, 32)}",
    "brave_api_key: BSAThisIsNothing",
    f"apk_size key {some(string.digits, 12)}",
    "-----BEGIN PUBLIC KEY-----\n" + some(ALNUM, 64),
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + some(ALNUM, 64),
    "-----BEGIN CERTIFICATE-----\n" + some(ALNUM, 64),
    f"mistral-7b.gguf  md5={some(HEX, 32)}",
    f'tokenizer = load("mistralai/Mistral-7B", revision="{some(HEX, 32)}")',
    f"wandb @ git+https://github.com/wandb/wandb@{some(HEX, 40)}",
    f"cohere tokenizer {some(HEX, 40)}",
    f"azure_key_id: {UUID}",
    f"AZURE_OPENAI_API_KEY={UUID.replace('-', '')[:30]}",
    f"togetherness key: {some(HEX, 63)}",
    f"sha256:{some(HEX, 64)}",
    f"vault:v1:{some(ALNUM, 80)}",
    f"pk-lf-{UUID}",
]


@pytest.mark.parametrize("text", NEAR_MISSES, ids=lambda text: text[:40])
def test_a_near_miss_is_not_found(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "KEY={}  # mlkeys: allow",
        "KEY={} // mlkeys: allow",
        "# mlkeys: allow\nKEY={}",
        "<!-- mlkeys: allow -->\nKEY={}",
        "  # mlkeys: allow\r\n  KEY={}",
        "KEY={} ; mlkeys: allow",
        "KEY={} -- mlkeys:allow it is not in use",
        "KEY={} /* mlkeys: allow*/",
        "<a>{}</a> <!-- mlkeys: allow --> <b>",
        "key = '{}'# mlkeys: allow",
        "it's {} # mlkeys: allow",
        "{{# mlkeys: allow #}}\nKEY={}",
    ],
)
def test_a_comment_allows_what_is_on_its_line_or_the_next(text: str) -> None:
    assert found(text.format(keys.openai())) == []
    (one,) = found(text.format(keys.openai()) + f"\nOTHER={keys.openai()}")
    assert one.line == text.count("\n") + 2


@pytest.mark.parametrize(
    "text",
    [
        "KEY={} mlkeys: allow",
        "KEY={} # mlkeys: allowed-hosts",
        "KEY={} # mlkeys: allow-nothing",
        "KEY={}#mlkeys: allow",
        'KEY={} "# mlkeys: allow"',
        "a = 'x # mlkeys: allow', '{}'",
        "a = '{} # mlkeys: allow",
        "KEY={} https://mlkeys: allow",
        "KEY={} # x: mlkeys: allow",
        "mlkeys: allow\nKEY={}",
        "'# mlkeys: allow'\nKEY={}",
        f"KEY={{}} {'x ' * 1000} # mlkeys: allow",
    ],
)
def test_what_is_not_such_a_comment_allows_nothing(text: str) -> None:
    assert len(found(text.format(keys.openai()))) == 1


@pytest.mark.parametrize(
    ("mark", "written"),
    [
        ("_", "%5F"),
        ("_", "%5f"),
        ("_", "\\u005f"),
        ("_", "\\x5F"),
        ("_", "\\u{5f}"),
        ("_", "\\U0000005f"),
        ("_", "&#95;"),
        ("_", "&#x5f;"),
        ("h", "%68"),
        ("f", "&#102;"),
    ],
)
def test_characters_by_their_numbers_hide_no_secret(mark: str, written: str) -> None:
    secret = keys.hugging_face()
    text = f"# %41\n{'x ' * 500}\nurl: 'https://h/?a=1&t={secret.replace(mark, written)}' %5F\nother: {keys.openai()}\n"
    one, other = found(text)
    assert (one.line, one.column) == (3, text.split("\n")[2].index("t=") + 3)
    assert one.message.endswith("(hf_…) with encoded characters")
    assert other.line == 4
    assert found(f"a: {secret}%3D\\u005f\n")[0].message.endswith("in plain text")
    # The whole of it is one, whatever part of it is encoded.
    (whole,) = [at for _, at in found_in(text, "x", built_in()) if at.encoded]
    assert text[whole.start : whole.end] == secret.replace(mark, written)


def test_a_row_without_digits_behind_a_reference_is_found() -> None:
    assert len(found(f"<a>hf&#x5f;{some(string.ascii_letters, 34)}</a>\n")) == 1
    assert len(found(f"MISTRAL_API_KEY=^[[1m{some(ALNUM, 32)}^[[0m\n")) == 1


def test_a_comment_beside_something_else_allows_nothing_below_it() -> None:
    assert len(found(f"x = 1  # mlkeys: allow\nKEY={keys.openai()}")) == 1


def test_each_secret_of_a_text_is_found_once() -> None:
    secrets = [keys.openai(), keys.anthropic(), keys.hugging_face()]
    assert [one.line for one in found("\n".join(secrets))] == [1, 2, 3]
    assert len({one.digest for one in found("\n".join(secrets))}) == 3
    # Of a key that fits a vaguer form as well, only the most specific one is reported.
    assert len(found(f"azure key: {secrets[0]}")) == 1


@pytest.mark.parametrize(
    "make",
    [
        keys.openai,
        keys.anthropic,
        keys.hugging_face,
        lambda: f"sk-{some(HEX, 32)}",
        lambda: f"AKIA{some(BASE32, 16)}",
        lambda: f"s.{some(ALNUM, 24)}",
        keys.cask,
    ],
)
def test_real_keys_are_hardly_ever_mismistaken_for_placeholders(make: Callable[[], str]) -> None:
    assert sum(not found(make()) for _ in range(500)) <= 1


def _tokens() -> st.SearchStrategy[str]:
    """What fills source code: words, hashes, base64, numbers, paths."""
    alphabets = st.sampled_from([HEX, ALNUM, URL, ALNUM + "+/", string.ascii_lowercase + "_", BASE32, string.digits])
    return alphabets.flatmap(lambda characters: st.text(characters, min_size=1, max_size=120))


@given(st.lists(_tokens(), max_size=20), st.sampled_from([" ", "\n", " = ", ": ", "/", ", ", '"']))
def test_random_text_is_not_reported(tokens: list[str], between: str) -> None:
    assert found(between.join(tokens)) == []


@given(st.text(max_size=300))
def test_no_text_is_too_odd(text: str) -> None:
    assert found(text) == []


SEARCHED = [form for form in built_in().forms if form.regex]


@pytest.mark.parametrize("form", SEARCHED, ids=lambda form: form.what)
def test_fakes_of_every_rule_in_the_table_are_found(form: Form) -> None:
    for _ in range(20):
        text = keys.of_form(form)
        assert len(found(text)) == 1, text
        assert form in marked(text), text


@given(
    st.lists(st.one_of(_tokens(), st.sampled_from(SEARCHED).map(keys.of_form)), max_size=8), st.sampled_from(" \n=:/.")
)
def test_the_sieve_loses_nothing(tokens: list[str], between: str) -> None:
    text = between.join(tokens)
    kept = sieve_of(built_in()).forms_in(text, long_rows(text))
    assert [form for form in SEARCHED if any(form.spans(text)) and form not in kept] == []


def test_every_rule_says_where_it_comes_from() -> None:
    text = (ROOT / "src/mlkeys/_providers/key_patterns.toml").read_text()
    rules = tomllib.loads(text)["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules) == len(built_in().forms)
    for rule in rules:
        assert rule["source"].startswith("https://")
        assert rule["provider"]
        assert isinstance(rule["date"], dt.date)


@pytest.mark.parametrize(
    ("what", "secret"),
    [
        ("an OpenAI API key", f"sk-None-{some(ALNUM, 20)}T3BlbkFJ{some(ALNUM, 20)}"),
        ("an OpenAI API key", f"sk-my-service-{some(ALNUM, 20)}T3BlbkFJ{some(ALNUM, 20)}"),
        ("a Kimi API key", f"sk-kimi-{some(ALNUM, 64)}"),
        ("a SiliconFlow API key", f"sk-{some(string.ascii_lowercase, 48)}"),
        ("a RunPod API key", f"rpa_{some(string.ascii_uppercase + string.digits, 40)}{some(ALNUM, 6)}"),
        ("a RunPod API key", f"rpa_{some(string.ascii_uppercase + string.digits, 42)}"),
        ("a Vercel API key", f"vck_{some(ALNUM, 56)}"),
        ("a Tavily API key", f"tvly-dev-{some(ALNUM, 32)}"),
        ("a Firecrawl API key", f"fc-{some(HEX, 32)}"),
        ("a Z.ai API key", f"ZAI_API_KEY={some(HEX, 32)}.{some(ALNUM, 16)}"),
        ("an Ollama API key", f"OLLAMA_API_KEY={some(HEX, 32)}.{some(ALNUM, 24)}"),
        ("an ElevenLabs API key", f"ELEVENLABS_API_KEY={some(HEX, 32)}"),
        ("an ElevenLabs API key", f"ELEVEN_API_KEY={some(HEX, 32)}"),
        ("a Vercel token", f"VERCEL_TOKEN={some(ALNUM, 24)}"),
        ("an ElevenLabs API key", f"headers = {{'xi-api-key': '{some(HEX, 32)}'}}"),
        ("a master or salt key of a LiteLLM gateway", f"  master_key: sk-{some(ALNUM, 13)}"),
        ("a master or salt key of a LiteLLM gateway", f"LITELLM_SALT_KEY=sk-{some(ALNUM, 40)}"),
        ("a master or salt key of a LiteLLM gateway", f"LITELLM_MASTER_KEY=sk-{some(HEX, 128)}"),
        ("a master or salt key of a LiteLLM gateway", "master_key: sk-" + "a1b2c"),
        ("a virtual key of a LiteLLM gateway", f'OpenAI(api_key="sk-{some(ALNUM, 22)}")'),
    ],
)
def test_keys_of_other_providers_and_gateways(what: str, secret: str) -> None:
    (one,) = found(secret)
    assert one.message.startswith(f"{what} ") or one.message.startswith("a key of a LiteLLM gateway ")


@pytest.mark.parametrize("key", ["sk-correct-horse-battery-staple", "Xk29dkFMw0", "sk-9f8K", "p@ss.word!", "sk-qwerty"])
@pytest.mark.parametrize(
    "text",
    [
        "LITELLM_MASTER_KEY={}\n",
        "export LITELLM_SALT_KEY='{}'",
        "LITELLM_SALT_KEY={} litellm --config c.yaml",
        "    environment:\n      LITELLM_MASTER_KEY: {}  # the gateway\n",
        'os.environ["LITELLM_MASTER_KEY"] = "{}"\n',
        'monkeypatch.setenv("LITELLM_MASTER_KEY", "{}")\n',
        "env:\n- name: LITELLM_MASTER_KEY\n  value: {}\n",
        'litellm_master_key: "{}"\n',
        "general_settings:\n  master_key: {}\n",
        "general_settings: # ours\n\n  # all of it\n  alerting: [x]\n  # master_key: {}\n",
        '{{"general_settings": {{"a": 1, "master_key": "{}"}}}}',
    ],
)
def test_a_key_of_any_length_behind_a_name_of_litellm_is_found(text: str, key: str) -> None:
    (one,) = found(text.format(key))
    assert " key of a LiteLLM gateway" in one.message


@pytest.mark.parametrize(
    "text",
    [
        *("LITELLM_MASTER_KEY=", "LITELLM_MASTER_KEY=sk-1234", "LITELLM_MASTER_KEY=$KEY", "LITELLM_SALT_KEY=${KEY:-x}"),
        *("LITELLM_MASTER_KEY=sk-$(openssl rand -hex 32)", "LITELLM_MASTER_KEY=sk-<key>", "LITELLM_MASTER_KEY=sk-"),
        *("LITELLM_MASTER_KEY: os.environ/KEY", "LITELLM_MASTER_KEY='<your key>'", "LITELLM_SALT_KEY: changeme"),
        *(
            "LITELLM_MASTER_KEY: str",
            "litellm_master_key: SecretStr",
            "litellm_master_key: MasterKey",
            "LITELLM_MASTER_KEY: ''",
        ),
        *('["LITELLM_MASTER_KEY", "litellm_salt_key", "other"]', 'f("LITELLM_MASTER_KEY", "OPENAI_API_KEY")'),
        *('setenv("LITELLM_MASTER_KEY", value)', "LITELLM_MASTER_KEY = key", "litellm_master_key=args.key1"),
        *(
            "LITELLM_MASTER_KEY: '{{ vault_key }}'",
            "LITELLM_MASTER_KEY=sk-your-key",
            "LITELLM_MASTER_KEY: vault:v1:abc",
        ),
        *(
            "general_settings:\n  master_key: os.environ/K\n",
            "general_settings:\n  a: b\nother:\n  master_key: abc-d\n",
        ),
        *('{"general_settings": {"master_key": master_key}}', "general_settings: {master_key: sk-1234}"),
        "general_settings:\n  master_key: sk-1234 # or others\n",
    ],
)
def test_references_and_placeholders_behind_names_of_litellm_are_not_found(text: str) -> None:
    assert found(text) == []


#: A value on another line than the provider's name.
SPREAD = [
    "model_list:\n  - litellm_params:\n      model: mistral/large\n      api_key: {}\n",
    "mistral:\n  api_key: {}\n",
    "client = Mistral(\n    timeout=5,\n    api_key='{}',\n)\n",
    '{{"mistral": {{\n  "apiKey": "{}"\n}}}}\n',
    "env:\n  - name: MISTRAL_API_KEY\n    value: {}\n",
    '[{{"name": "MISTRAL_API_KEY", "value": "{}"}}]\n',
    '{{\n "name": "MISTRAL_API_KEY",\n "value": "{}"\n}}\n',
]


@pytest.mark.parametrize("text", SPREAD)
def test_a_name_on_another_line_of_the_paragraph_counts(text: str) -> None:
    secret = some(ALNUM, 32)
    (one,) = found(text.format(secret))
    assert one.message == "a Mistral API key in plain text"
    assert one.line == text[: text.index("{}")].count("\n") + 1
    # A blank line ends a paragraph.
    assert bool(found(text.format(secret).replace("\n", "\n\n"))) is ("\n" not in text[:-1])


# What else stands before a key, longer than what may be between two names.
MORE_LIMITS = "    rpm: 60\n    tpm: 100000\n" * 3
MORE_HEADERS = "\\\n" + "  -H 'Accept: application/json' \\\n" * 4
#: Everyday places of a key that only a name shows.
NAMED = [
    'MISTRAL_API_KEY: str = "{}"\n',
    "mistral_api_key: Final[str] = '{}'\n",
    'const val MISTRAL_API_KEY: String = "{}"\n',
    'const MISTRAL_API_KEY: &str = "{}";\n',
    'public string MistralApiKey {{ get; set; }} = "{}";\n',
    'mistral_api_key: SecretStr = SecretStr("{}")\n',
    'mistral_api_key=SecretStr("{}")\n',
    "\x1b[32mMISTRAL_API_KEY\x1b[0m=\x1b[1m{}\x1b[0m\n",
    "\\e[32mMISTRAL_API_KEY\\e[0m=\\e[1m{}\n",
    "variables:\n  MISTRAL_API_KEY:\n    value: {}\n",
    'variables:\n  MISTRAL_API_KEY:\n    description: "for tests"\n    value: {}\n',
    "- litellm_params:\n    api_key: {}\n    model: mistral/large\n",
    f"- params:\n    model: mistral/x\n{MORE_LIMITS}    api_key: {{}}\n",
    f"- litellm_params:\n    model: mistral/x\n    api_base: https://h/{'long/' * 20}\n    # new\n    api_key: {{}}\n",
    'variable "mistral_api_key" {{\n  default = "{}"\n}}\n',
    'variable "mistral_api_key" {{\n  type    = string\n  sensitive = true\n  default = "{}"\n}}\n',
    "MISTRAL_API_KEY: >-\n  {}\n",
    "api-key: [mistral={}]\n",
    'api-key: ["openai=x", "mistral={}"]\n',
    "api_keys: [openai=x, mistral={}]\n",
    "api-key:\n  - mistral={}\n",
    'curl -H "Authorization: Bearer {}" https://api.mistral.ai/v1/models\n',
    f"curl https://api.mistral.ai/v1 {MORE_HEADERS}  -H 'Authorization: Bearer {{}}'\n",
    "{{'Authorization': 'Bearer {}'}} url=https://api.mistral.ai/v1/chat\n",
    '{{"api_key":"{}","provider":"mistral"}}\n',
    '{{\n "value": "{}",\n "name": "MISTRAL_API_KEY"\n}}\n',
    'MISTRAL_API_KEYS = ["{}"]\n',
    "MISTRAL_API_KEYS = [\n  '{}',\n]\n",
    "add_argument('--mistral-api-key', type=str, default='{}')\n",
    "<key>MISTRAL_API_KEY</key>\n  <string>{}</string>\n",
    "provider,api_key\nmistral,{}\n",
    'client := mistral.NewMistralClientDefault("{}")\n',
    'new MistralClient(new ApiKeyCredential("{}"))\n',
    'mistral::Mistral::new("https://x", "{}")\n',
    'API_KEY = "{}"\nclient = Mistral(API_KEY)\n',
    "provider,Token\nmistral,{}\n",
    "| Provider | API key |\n|---|---|\n| Mistral | {} |\n",
    "# Keys\n\n| Provider | Models | Token |\n|---|---|---|\n| Cohere | x | y |\n| Mistral AI | large | `{}` |\n",
    "mistral_api_key:\n  {}\n",
    'mistral_api_key:\n  "{}"\n',
    "mistral_api_key:\n- {}\n",
    "mistral:\n  api_key:\n    {}\n",
    'client = Mistral("{}")\n',
    "llm = MistralAI('{}')\n",
    'x = mistral.AsyncClientV2("{}")\n',
    "Authorization: Bearer {}\nHost: api.mistral.ai\n",
    '{{"Authorization": "Bearer {}", "Host": "api.mistral.ai"}}\n',
    '{{"keys": {{"openai": "x", "mistral": "{}"}}}}\n',
    "api_keys:\n  openai: x\n  mistral: {}\n",
    'api_keys = {{\n  mistral = "{}"\n}}\n',
    "api-key:\n  - openai=x\n  - mistral={}\n",
    "stringData:\n  mistral: {}\n",
]


@pytest.mark.parametrize("text", NAMED, ids=range(len(NAMED)))
def test_a_secret_is_found_in_everyday_places(text: str) -> None:
    secret = some(ALNUM, 32)
    (one,) = found(text.format(secret))
    assert one.message == "a Mistral API key in plain text"
    assert one.line == text[: text.index("{}")].count("\n") + 1
    # A checksum of the provider's is not a key.
    assert not found(f"mistral-large.gguf sha {secret}\n")


def test_a_secret_is_found_in_every_place_of_a_list() -> None:
    secrets = [some(ALNUM, 32) for _ in range(3)]
    assert [one.line for one in found(f"MISTRAL_API_KEYS = {json.dumps(secrets, indent=1)}\n")] == [2, 3, 4]


def test_a_list_is_read_to_its_end() -> None:
    secrets = [some(ALNUM, 32) for _ in range(40)]
    assert len(found(f"MISTRAL_API_KEYS = {json.dumps(secrets, indent=1)}\n{'word ' * 99}\n{secrets[0]}")) == 40


def test_rows_leave_out_names() -> None:
    names = "get_the_name_of_something theNameOfSomethingInAnotherCase TheNameOfSomethingInAnotherCase"
    others = "sk-helicone-abcdefgh-abcdefg NAMES_OF_SOME_CONSTANTS AbCdEfGhIjKlMnOpQrStUvWx abcdefghijklmnopqrstuvwxyz0"
    assert long_rows(f"{names} {others}").all.split() == others.split()


@pytest.mark.parametrize("between", [" ", "\n  ", "\n  login me\n  "])
def test_a_password_of_netrc_is_found_by_its_host(between: str) -> None:
    (one,) = found(f"machine api.wandb.ai{between}password {some(HEX, 40)}\n")
    assert one.message == "a Weights & Biases API key in plain text"


@pytest.mark.parametrize(
    "text",
    [
        '- name: AWS_SECRET_ACCESS_KEY\n  value: "{}"\n',
        '{{"name": "AWS_SECRET_ACCESS_KEY", "value": "{}"}}\n',
        'aws_secret_access_key: str = "{}"\n',
    ],
)
def test_a_secret_key_of_aws_is_found_like_other_named_keys(text: str) -> None:
    (one,) = found(text.format(some(ALNUM + "+/", 40)))
    assert one.message == "an AWS secret access key in plain text"


def test_whole_files_in_base64_are_read() -> None:
    mistral, cohere, aws = some(ALNUM, 32), some(ALNUM, 40), some(ALNUM + "+/", 40)
    for text in (
        f"A=1\nCOHERE_API_KEY={cohere}\n",
        f'{{"mistral": {{"api_key": "{mistral}"}}}}',
        f"COHERE_API_KEY={cohere}",
    ):
        for shift in range(3):
            (one,) = found(f"data: {base64.b64encode(b' ' * shift + text.encode()).decode()}\n")
            assert one.message.endswith("API key in base64")
    (one,) = found(f"AWS_SECRET_ACCESS_KEY: {base64.b64encode(aws.encode()).decode()}\n")
    assert one.message == "an AWS secret access key in base64"
    assert not found(base64.b64encode(f"mistral sha {mistral} api_key".encode()).decode())


NOT_NAMED = [
    'mistral:\n  models:\n    - name: x\n      sha: "{}"\n',
    "mistral\n\napi_key: {}\n",
    "api_key: {}\n\nmodel: mistral/large\n",
    "sha: {}\nmodel: mistral/large\n",
    'OTHER_API_KEY="{}"\nMISTRAL_API_KEY=\n',
    "mistral,{}\n",
    'def mistral_key() -> str:\n    """The key."""\n    digest = "{}"\n',
    "mistral.restore('{}')\n",
    f"mistral: {'x ' * 150}\n  api_key: {{}}\n",
    "| Model | Checksum |\n|---|---|\n| Mistral | {} |\n",
    "| API key |\n\n| Mistral | {} |\n",
    "mistral | {}\n",
    "mistral,tokens\nmistral,{}\n",
    '{{"mistral": "{}"}}\n',
    "checksums:\n  mistral: {}\n",
    "checksums: [mistral={}]\n",
    "api_keys: {{openai: x}}\nchecksums:\n  mistral: {}\n",
    "api_keys:\n\nfiles:\n  mistral: {}\n",
    "mistral_digest:\n  {}\n",
    "sha: {}\nHost: api.mistral.ai\n",
]


@pytest.mark.parametrize("text", NOT_NAMED, ids=range(len(NOT_NAMED)))
def test_what_no_name_of_a_key_shows_is_not_found(text: str) -> None:
    assert not found(text.format(some(ALNUM, 32)))


@pytest.mark.parametrize("between", ["a ", "ü ", "\U0001f511 "])
def test_a_name_counts_as_far_as_the_text_between_may_be(between: str) -> None:
    spaces = " " * 36
    text = f"mistral: {between * 37}\n  key\n{spaces}value:{' ' * 3}{some(ALNUM, 32)}\n"
    assert len(found(text)) == 1
    assert not found(text.replace("mistral", f"mistral {between * 4}"))


@pytest.mark.parametrize(
    "before",
    [
        "a%3D",
        "Bearer%20",
        r"a\u003d",
        r"\u0022",
        "\x1b[32m",
        r"\e[1;31m",
        "^[[31m",
        "[1;31m",
        r"\x1b[0m",
        "key_",
        "a\\n",
        "&quot;",
        r"\x3d",
    ],
)
@pytest.mark.parametrize("make", [keys.openai, keys.hugging_face, keys.anthropic, lambda: f"sk-{some(HEX, 32)}"])
def test_encoded_characters_and_colours_are_not_a_part_of_a_secret(before: str, make: Callable[[], str]) -> None:
    (one,) = found(f"x {before}{make()}\x1b[0m")
    assert one.column == len(before) + 3


def test_letters_before_a_vague_form_are_a_part_of_it() -> None:
    assert not found(f"x{keys.hugging_face()}")
    assert not found(f"this.{some(ALNUM, 24)}")


# Base64


@pytest.mark.parametrize("shift", range(3))
@pytest.mark.parametrize(
    "make", [keys.openai, keys.anthropic, keys.cask, keys.private_key], ids=lambda make: make.__name__
)
def test_a_secret_in_base64_is_found(make: Callable[[], str], shift: int) -> None:
    # What only the middle of a key shows may be broken by the end of a line.
    for wrapped in (0, 64, 76) if make is not keys.cask else (0,):
        text = base64.b64encode(f"{'=' * shift}{make()}\n".encode()).decode()
        lines = [text[at : at + wrapped] for at in range(0, len(text), wrapped)] if wrapped else [text]
        data = "\n    ".join(lines)
        (one,) = found(f"data:\n  A: b2s=\n  B: {data}\n  C: b2s=\n")
        assert one.message.endswith(" in base64")
        assert one.line == 3


def test_a_secret_without_a_form_is_found_in_base64_by_its_name() -> None:
    value = base64.b64encode(some(ALNUM, 32).encode()).decode()
    (one,) = found(f"data:\n  MISTRAL_API_KEY: {value}\n")
    assert (one.line, one.message) == (2, "a Mistral API key in base64")
    assert not found(f"data:\n  MISTRAL_API_KEY: {base64.b64encode(b'nothing that is a key').decode()}\n")


def test_placeholders_in_base64_are_not_found() -> None:
    assert not found(base64.b64encode(f"sk-proj-FAKE{some(URL, 70)}T3BlbkFJ{some(URL, 74)}".encode()).decode())


@given(st.binary(max_size=400))
def test_other_data_in_base64_is_not_reported(data: bytes) -> None:
    assert found(base64.b64encode(data).decode()) == []


# Rules of others


def test_rules_of_gitleaks_can_be_read() -> None:
    rules = """
[[rules]]
id = "acme"
description = "an Acme token"
regex = 'acme-(?i)[a-z]{4}-([0-9]{6})'
secretGroup = 1
keywords = ["ACME-"]
"""
    patterns = Patterns((*built_in().forms, *forms_of(tomllib.loads(rules), str, str)))
    (one,) = secrets_in("token: acme-ABcd-918273", "f", patterns)
    assert (one.column, one.rule.name, one.message) == (18, "credential", "an Acme token in plain text")


@pytest.mark.parametrize(
    ("go", "found_in", "not_in"),
    [
        (r"a(?i)b|c", ["aB", "C"], ["AB"]),
        (r"(?i)ab", ["AB"], ["AC"]),
        (r"x(?:(?i)a|b)c", ["xAc", "xBc"], ["xAC", "XAc"]),
        (r"(?i)x(?-i:y)z", ["XyZ"], ["XYZ"]),
        (r"(?i)x(?-i)y|z", ["Xy", "z"], ["XY", "Z"]),
        (r"(?i:a)b(?s).", ["Ab\n"], ["AB\n"]),
        (r"[[:alnum:]_]{3}[^[:digit:]]", ["a1_b"], ["a1_1", "a-_b"]),
        (r"[]a[&&|~~-]+\z", ["]a[&|~-"], ["b"]),
        (r"[^]a]", ["b"], ["]", "a"]),
        (r"\(?i\)\[(?<name>x)\]", ["(i)[x]", "i)[x]"], ["x"]),
    ],
)
def test_expressions_of_go_mean_the_same(go: str, found_in: list[str], not_in: list[str]) -> None:
    expression = re.compile(for_python(go))
    assert [text for text in found_in if not expression.fullmatch(text)] == []
    assert [text for text in not_in if expression.fullmatch(text)] == []


def test_rules_of_gitleaks_allow_what_they_allow_there() -> None:
    rules = """
[[allowlists]]
targetRules = ["acme"]
stopwords = ["deadbeef"]

[[rules]]
id = "files"
path = '\\.p12$'

[[rules]]
id = "acme"
regex = '(?:acme-([0-9a-f]{12,60})|\\.emca=([a-z0-9]{12}))(?:[;\\s]|$)'
keywords = ["acme-", ".emca="]
entropy = 2
[[rules.allowlists]]
regexes = ['^0123']
[[rules.allowlists]]
regexTarget = "line"
regexes = ["(?i)SAMPLE"]
[[rules.allowlists]]
condition = "AND"
paths = ["x"]
regexes = ["."]
[[rules.allowlists]]
condition = "AND"
regexes = ["^9876"]
stopwords = ["fade"]

[[rules]]
id = "long"
regex = 'z([0-9a-f]{12})'
keywords = ["A=keyword-that-is-longer-than-the-forty-characters"]
"""
    patterns = Patterns(tuple(forms_of(tomllib.loads(rules), str, str)))

    def places(text: str) -> list[tuple[int, int]]:
        return [(one.line, one.column) for one in secrets_in(text, "f", patterns)]

    assert places("acme-918273645abc;\nx.emca=q1w2e3r4t5z6\n") == [(1, 6), (2, 8)]
    assert places("a=keyword-that-is-longer-than-the-forty-characters z918273645abc") == [(1, 53)]
    assert places("acme-9876fade5a1c acme-98765ade5a1c acme-8876fade5a1c") == [(1, 24), (1, 42)]
    allowed = ["acme-aaaaabbbbbaa", "acme-0123645abcde", "sample acme-918273645abc", "acme-91827deadbeef"]
    assert places("\n".join(allowed)) == []


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"id": "d", "regex": "x", "keywords": ["k"], "entropy": "much"}, "entropy of rule d must be a number"),
        ({"id": "e", "regex": "x", "keywords": ["k"], "allowlists": [1]}, "an allowlist must be a table"),
        (
            {"id": "f", "regex": "x", "keywords": ["k"], "allowlist": {"regexes": ["("]}},
            "an expression of",
        ),
        ({"id": "g", "regex": "x", "keywords": ["k"], "allowlist": {"stopwords": "a"}}, "stopwords of an allowlist"),
        ({"id": "a", "regexp": "x"}, "rule a has an unknown part: regexp"),
        ({"id": "a", "keywords": ["x"]}, "rule a has no regex"),
        ({"id": "a", "path": "x"}, "it has no rules for the contents of files"),
        ({"id": "a", "regex": "(a)(b)", "secretGroup": 3}, "rule a has the secretGroup 3, but its regex has 2 groups"),
        ({"id": "b", "regex": "(", "keywords": ["k"]}, "the expression of rule b cannot be read"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused(rule: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        forms_of({"rules": [rule]}, str, str)


def test_every_form_is_marked() -> None:
    """Else it would be looked for in vain."""
    rng = random.Random(1)  # noqa: S311
    for what, secret in STANDING_ALONE:
        padding = "".join(rng.choice("ab_s.k-") for _ in range(100))
        assert what in {form.what for form in marked(f"{padding} {secret} {padding}")}
    for what, text, secret in BY_ITS_NAME:
        assert what in {form.what for form in marked(f"this.some_service_client_{text.format(secret)}")}


def test_the_marks_are_those_of_the_rules() -> None:
    text = (ROOT / "src/mlkeys/_providers/key_patterns.toml").read_text()
    given = [mark for form in built_in().forms for mark in form.marks]
    assert list(built_in_marks()) == given
    assert len(given) > len(tomllib.loads(text)["rules"])


@given(st.sampled_from(SEARCHED).map(keys.of_form), st.text(max_size=30), st.text(max_size=30))
def test_every_text_with_a_secret_has_a_mark(secret: str, before: str, after: str) -> None:
    text = f"{before}{secret}{after}"
    assert may_hold_a_secret(text) or not marked(text)


# Keys without a digit, defaults, other alignments


def letters(length: int) -> str:
    """Random letters of both cases, none of which is a digit."""
    return next(text for text in iter(lambda: some(LETTERS, length), "") if 3 * sum(map(str.isupper, text)) > length)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("MISTRAL_API_KEY", letters(32)),
        ("COHERE_API_KEY", letters(40)),
        ("MOONSHOT_API_KEY", f"sk-{letters(24)}{some(ALNUM, 24)}"),
        ("LITELLM_API_KEY", f"sk-{letters(22)}"),
        ("VERCEL_TOKEN", letters(24)),
        ("BAO_TOKEN", f"s.{letters(24)}"),
        ("DEEPSEEK_API_KEY", f"sk-{some(HEX, 13)}{'7' * 6}{some(HEX, 13)}"),
        ("CLARIFAI_PAT", some(HEX, 32)),
    ],
)
def test_a_key_behind_its_name_needs_no_digit(name: str, key: str) -> None:
    assert len(found(f"{name}={key}\n")) == 1
    assert len(found(f'{{"{name.lower()}": "{key}"}}\n')) == 1


def test_a_name_in_a_program_is_not_a_key_without_digits() -> None:
    assert not found('mistral_api_key: "MistralChatCompletionsToolClient"\n')
    assert not found("mistral_api_key = MistralChatCompletionsToolClient\n")


@pytest.mark.parametrize(
    "text",
    [
        'key = os.getenv("MISTRAL_API_KEY") or "{}"\n',
        'key = os.environ["MISTRAL_API_KEY"] if ready else "{}"\n',
        "const key = process.env.MISTRAL_API_KEY ?? '{}'\n",
        'env::var("MISTRAL_API_KEY").unwrap_or("{}".into())\n',
        'key: {{{{ mistral_api_key | default("{}") }}}}\n',
        "MISTRAL_API_KEY=${{MISTRAL_API_KEY:-{}}}\n",
        "  MISTRAL_API_KEY: ${{OTHER-{}}}\n",
        'mistral_api_key: str = Field("{}")\n',
        'mistral_api_key: str = Field(default="{}", env="X")\n',
        'mistral_api_key: str = Field(\n    default="{}",\n)\n',
        "mistral_api_key: str = r'{}'\n",
        'os.environ["MISTRAL_API_KEY"] = r"{}"\n',
        "- name: MISTRAL_API_KEY\n  value: >-\n    {}\n",
        "- name: MISTRAL_API_KEY\n  # ours\n  value: |\n    {}\n",
        "model: mistral/x\n  api_key: >-\n    {}\n",
    ],
)
def test_a_default_and_a_block_are_values(text: str) -> None:
    (one,) = found(text.format(some(ALNUM, 32)))
    assert one.message == "a Mistral API key in plain text"


@pytest.mark.parametrize("key", ["Tr0ub4dor&3", "pa$sw0rd#1;x", "sk-geheim-ä", "9k(x)y"])
@pytest.mark.parametrize(
    "text",
    [
        "LITELLM_MASTER_KEY={}\n",
        "LITELLM_SALT_KEY='{}'\n",
        "LITELLM_MASTER_KEY: {}\n",
        "general_settings:\n  master_key: {}\n",
    ],
)
def test_a_key_of_litellm_has_any_characters(text: str, key: str) -> None:
    (one,) = found_in_whole(text.format(key))
    assert one == key


def found_in_whole(text: str) -> list[str]:
    return [text[at.start : at.end] for _, at in found_in(text, "x", built_in())]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('LITELLM_MASTER_{}="sk-abc def"', "sk-abc def"),
        ("LITELLM_MASTER_{}=${{X:-realpass1}}", "realpass1"),
        ('LITELLM_MASTER_{}: str = Field(default="p w#1")', "p w#1"),
        ('os.getenv("LITELLM_MASTER_{}") or "p w#1"', "p w#1"),
    ],
)
def test_a_key_of_litellm_may_have_blanks_and_be_a_default(text: str, key: str) -> None:
    assert found_in_whole(text.format("KEY")) == [key]


def _key(prefix: str, characters: str, length: int) -> str:
    return f"{prefix}{some(characters, length)}"


BASE64_PREFIXES: list[Callable[[], str]] = [
    keys.hugging_face,
    *(partial(_key, *kind) for kind in (("r8_", ALNUM, 37), ("fc-", HEX, 32), ("sk-", ALNUM, 48), ("sk-", HEX, 32))),
    partial(_key, "sk_", HEX, 48),
]


@pytest.mark.parametrize("before", ["", ":", "u:", "abc:", '{"k":"'])
def test_a_key_with_a_short_beginning_is_found_anywhere_in_base64(before: str) -> None:
    for make in BASE64_PREFIXES:
        text = base64.b64encode(f"{before}{make()}\n".encode()).decode()
        (one,) = found(f"Authorization: Basic {text}\n")
        assert one.message.endswith(" in base64")


def test_a_named_key_in_base64_may_be_behind_a_word_and_without_digits() -> None:
    for value in (f"Bearer {some(ALNUM, 32)}", f"user:{some(ALNUM, 32)}", some(ALNUM, 32)):
        (one,) = found(f"  MISTRAL_API_KEY: {base64.b64encode(value.encode()).decode()}\n")
        assert one.message == "a Mistral API key in base64"
    encoded = (base64.b64encode(some(ALNUM, 32).encode()).decode() for _ in range(20_000))
    lone = next(text for text in encoded if not any(map(str.isdigit, text)))
    assert len(found(f"data:\n  MISTRAL_API_KEY: {lone}\n")) == 1


def test_paths_of_gitleaks_count() -> None:
    rules = """
[allowlist]
paths = ['^tests/']
[[rules]]
id = "acme"
regex = 'acme-[0-9]{6}'
path = '\\.conf$'
[[rules.allowlists]]
condition = "AND"
paths = ["old"]
regexes = ["-11"]
"""
    patterns = Patterns(tuple(forms_of(tomllib.loads(rules), str, str)))
    for path, text, count in (
        ("a.conf", "acme-918273", 1),
        ("a.py", "acme-918273", 0),
        ("tests/a.conf", "acme-918273", 0),
        ("old.conf", "acme-918273", 1),
        ("old.conf", "acme-118273", 0),
        ("a.conf", "acme-118273", 1),
    ):
        assert len(secrets_in(text, path, patterns)) == count, path


def test_what_has_no_effect_is_named() -> None:
    said: list[str] = []
    rule = {"id": "a", "regex": "x", "required": [{"id": "b"}], "allowlists": [{"commits": ["c"]}]}
    content = {
        "extend": {"useDefault": True},
        "allowlist": {"commits": ["c"]},
        "rules": [rule, {"id": "f", "path": "p"}],
    }
    forms_of(content, str, said.append)
    words = ("extend.useDefault", "commits of an allowlist", "required of rule a", "allowlist of rule a", "rule f")
    for word in words:
        assert any(word in sentence for sentence in said), word


@pytest.mark.parametrize(
    ("allowlist", "reason"),
    [
        ({"path": ["x"]}, "an allowlist has an unknown part: path"),
        ({"regexes": ["x"], "condition": "XOR"}, "condition of an allowlist must be OR or AND"),
        ({"regexes": ["x"], "regexTarget": "file"}, "regexTarget of an allowlist must be secret, match or line"),
        ({"description": "x"}, "an allowlist must have commits, paths, regexes or stopwords"),
    ],
)
def test_an_allowlist_that_is_not_understood_is_refused(allowlist: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        forms_of({"rules": [{"id": "a", "regex": "x", "allowlist": allowlist}]}, str, str)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("password=hunter22", ["hunter22"]),
        ("{'api_key': 'x8Jd92kL', 'user': 'bob1234'}", ["x8Jd92kL"]),
        ("x.token : tok3nn", ["tok3nn"]),
        # Code, paths, addresses, and words.
        ("password = get_token12(a)", []),
        ("password = os.environ['A1']", []),
        ("api_key=abc1234[0]", []),
        ("key: transit/ml-2", []),
        ('File "/srv/a1/token.py", line 12, in main', []),
        ("secret=changeme1", []),
        ("token=None", []),
    ],
)
def test_values_under_names_of_secrets_are_found_in_a_text(text: str, found: list[str]) -> None:
    assert named_secrets_in(text) == found


@pytest.mark.parametrize("text", ["a" * 200_000, "a=" * 100_000, "a" + " " * 100_000, "a=" + "b" * 200_000 + "("])
def test_a_long_text_takes_no_long_time(text: str) -> None:
    start = time.process_time()
    assert named_secrets_in(text) == []
    assert time.process_time() - start < 2
