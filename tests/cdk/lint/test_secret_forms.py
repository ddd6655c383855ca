# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets by their shapes: each is found where it stands, and what only resembles one is not."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkeys._lint.findings import Finding
from mlkeys._lint.secrets import secrets_in
from mlkeys._providers import key_patterns as forms
from tests.cdk import keys
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
    assert one.message == f"{what} in plain text"
    assert one.column == text.format(secret).index(secret) + 1
    assert not found(f"checksum: {secret}")


#: A key of the short-lived kind is an address with a signature: as long as that is.
OF_ANY_LENGTH = ("a private key", "a short-lived Amazon Bedrock API key")


@pytest.mark.parametrize(
    "secret", [secret for what, secret in STANDING_ALONE if what not in OF_ANY_LENGTH], ids=lambda value: value[:24]
)
def test_what_is_longer_or_shorter_than_the_shape_is_something_else(secret: str) -> None:
    core = secret.rstrip("=")
    assert not found(f"x{core}")
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
    ],
)
def test_a_comment_allows_what_is_on_its_line_or_the_next(text: str) -> None:
    assert found(text.format(keys.openai())) == []
    (one,) = found(text.format(keys.openai()) + f"\nOTHER={keys.openai()}")
    assert one.line == text.count("\n") + 2


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
def test_real_keys_are_hardly_ever_mistaken_for_placeholders(make: Callable[[], str]) -> None:
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


def test_every_form_is_among_those_of_this_test() -> None:
    tried = {what for what, _ in STANDING_ALONE} | {what for what, _, _ in BY_ITS_NAME}
    assert tried == {form.what for form in forms.FORMS if form.shape}


def test_every_form_is_marked() -> None:
    """Else it would be looked for in vain."""
    rng = random.Random(1)  # noqa: S311
    for what, secret in STANDING_ALONE:
        padding = "".join(rng.choice("ab_s.k-") for _ in range(100))
        assert what in {form.what for form in forms.marked(f"{padding} {secret} {padding}")}
    for what, text, secret in BY_ITS_NAME:
        assert what in {form.what for form in forms.marked(f"this.some_service_client_{text.format(secret)}")}
