# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Patterns of secrets: one table, for the generator that refuses them and for the linter that finds them.

The shapes are those that providers document and that the rules of secret scanners agree on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

PROVIDER = "provider"
CREDENTIAL = "credential"
PRIVATE_KEY = "private key"

_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


@dataclass(frozen=True)
class Form:
    """One kind of secret.

    Attributes:
        what: its name in a sentence.
        kind: `PROVIDER` (an ML provider's), `CREDENTIAL` (of a server, a cloud, a code host) or `PRIVATE_KEY`.
        marks: regular expressions; a text that holds shape or sign holds, put into lower case, one of them. Each
            begins with a letter, has no group, and looks ahead to whatever follows its first few letters.
        shape: the whole secret as a regular expression, or its group 1. Empty: too vague to be looked for in files.
        sign: what is enough to keep a text out of a program, where that is less than the shape.
        glue: further characters that, right before or behind a match, make it a part of something else.
    """

    what: str
    kind: str
    marks: tuple[str, ...]
    shape: str
    sign: str = ""
    glue: str = ""

    @cached_property
    def _shape(self) -> re.Pattern[str]:
        return re.compile(self.shape)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the positions of such secrets in a text."""
        if not self.shape:
            return
        group = 1 if self._shape.groups else 0
        for found in self._shape.finditer(text):
            start, end = found.span(group)
            if self._stands_alone(text, start, end):
                yield start, end

    @cached_property
    def _sign(self) -> re.Pattern[str]:
        return re.compile(self.sign or self.shape)

    def is_signed(self, text: str) -> bool:
        """Whether a text holds something that may be such a secret."""
        return self._sign.search(text) is not None

    def signed(self, text: str) -> Iterator[str]:
        """Yield what may be such secrets."""
        return (found.group() for found in self._sign.finditer(text))

    def _stands_alone(self, text: str, start: int, end: int) -> bool:
        before, behind = text[start - 1 : start], text[end : end + 1]
        escaped = start > 1 and text[start - 2] == "\\" and before in "nrt"
        return not ((self._glued(before) and not escaped) or self._glued(behind))

    def _glued(self, character: str) -> bool:
        return character != "" and (character in _WORD or character in self.glue)


def _named(words: str, value: str) -> str:
    """Return the pattern of a value without a recognisable form, preceded by the names of the provider and of a key."""
    return (
        rf"(?i:{words})[^\n]{{0,50}}?(?i:key|token|secret|login|client|bearer)(?:_?[0-9])?(?![A-Za-z])"
        rf"[^\nA-Za-z0-9]{{1,8}}({value})"
    )


_HEX32, _HEX40 = r"[0-9a-f]{32}", r"[0-9a-f]{40}"
# Letters and digits, both of them.
_MIXED = r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])"
# Small and capital letters and digits, all of them, among the next 24 characters.
_MOTLEY = r"(?=.{0,23}[0-9])(?=.{0,23}[a-z])(?=.{0,23}[A-Z])"
# What may stand between the first line of a private key and its body, also where a program's text holds it.
_LINE_END = r"(?:\s|\\[nr]|[\"'+,])+"

FORMS = (
    Form(
        "an Anthropic API key",
        PROVIDER,
        ("sk-ant-",),
        r"sk-ant-(?:(?:api|admin)[0-9]{2}-[\w-]{93}AA|(?:oat|ort|sid)[0-9]{2}-[\w-]{80,120})",
        sign=r"sk-ant-[A-Za-z0-9_-]{16,}",
    ),
    Form(
        "an OpenAI API key",
        PROVIDER,
        ("t3blbkfj",),
        r"sk-(?:[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"
        r"|(?:proj|svcacct|service|admin)-[\w-]{20,74}T3BlbkFJ[\w-]{20,74})",
    ),
    Form("an OpenRouter API key", PROVIDER, ("sk-or-v1-",), r"sk-or-v1-[0-9a-f]{64}"),
    Form("a secret key of Langfuse", PROVIDER, ("sk-lf-",), r"sk-lf-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    Form("a Hugging Face token", PROVIDER, ("hf_",), r"hf_[A-Za-z0-9]{34}", sign=r"\bhf_[A-Za-z0-9]{20,}"),
    Form("a Hugging Face organisation's token", PROVIDER, ("api_org_",), r"api_org_[A-Za-z0-9]{34}"),
    Form(
        "a Google API key",
        PROVIDER,
        ("aiza",),
        r"AIza[A-Za-z0-9_-]{35}",
        sign=r"\bAIza[A-Za-z0-9_-]{30,}",
        glue="/+",
    ),
    Form("a Gemini API key", PROVIDER, (r"aq\.ab8rn6",), r"AQ\.Ab8RN6[A-Za-z0-9_-]{44}"),
    Form("an Amazon Bedrock API key", PROVIDER, ("absk",), r"ABSK[A-Za-z0-9+/]{109,269}={0,2}", glue="/+"),
    Form(
        "a short-lived Amazon Bedrock API key",
        PROVIDER,
        ("bedrock-api-key-",),
        r"bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t[A-Za-z0-9+/=_-]{60,}",
    ),
    Form(
        "a key of an Azure service", PROVIDER, ("jqqj9",), r"[A-Za-z0-9]{52}JQQJ9[9DH][A-Za-z0-9][A-L][A-Za-z0-9]{24}"
    ),
    Form("an Azure OpenAI key", PROVIDER, ("azure",), _named("azure", _HEX32), glue="/+"),
    Form("a Replicate token", PROVIDER, ("r8_",), r"r8_[A-Za-z0-9_-]{37}", sign=r"\br8_[A-Za-z0-9]{30,}"),
    Form("a Groq API key", PROVIDER, ("gsk_",), r"gsk_[A-Za-z0-9]{52}", sign=r"\bgsk_[A-Za-z0-9]{30,}"),
    Form("an xAI API key", PROVIDER, ("xai-",), r"xai-[A-Za-z0-9_-]{70,120}"),
    Form("a Perplexity API key", PROVIDER, ("pplx-",), r"pplx-[A-Za-z0-9]{48}"),
    Form("an NVIDIA API key", PROVIDER, ("nvapi-",), r"nvapi-[A-Za-z0-9_-]{60,70}", sign=r"\bnvapi-[A-Za-z0-9_-]{30,}"),
    Form("a Cerebras API key", PROVIDER, ("csk-",), r"csk-[a-z0-9]{48}"),
    Form("a Together AI API key", PROVIDER, ("tgp_v1_",), r"tgp_v1_[A-Za-z0-9_-]{43}"),
    Form("a Together AI API key", PROVIDER, ("together",), _named("together", r"[0-9a-f]{64}")),
    Form(
        "a Fireworks AI API key",
        PROVIDER,
        ("fireworks",),
        _named("fireworks", rf"(?:fw_)?{_MIXED}[A-Za-z0-9]{{22,48}}"),
    ),
    Form("a Mistral API key", PROVIDER, ("mistral",), _named("mistral", rf"{_MIXED}[A-Za-z0-9]{{32}}"), glue="/+"),
    Form(
        "a Cohere API key",
        PROVIDER,
        ("cohere", "co_api_key"),
        _named("cohere|co_api", rf"{_MIXED}[A-Za-z0-9]{{40}}"),
        glue="/+",
    ),
    Form("a LangSmith API key", PROVIDER, ("lsv2_",), r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    Form("a Weights & Biases API key", PROVIDER, ("wandb_v1_",), r"wandb_v1_[A-Za-z0-9_]{77}"),
    Form("a Weights & Biases API key", PROVIDER, ("wandb",), _named("wandb", _HEX40), glue="/+"),
    Form("a Deepgram API key", PROVIDER, ("deepgram",), _named("deepgram", _HEX40), glue="/+"),
    Form("an AssemblyAI API key", PROVIDER, ("assemblyai",), _named("assemblyai", _HEX32), glue="/+"),
    Form("an ElevenLabs API key", PROVIDER, (r"sk_(?=[0-9a-f]{8})",), r"sk_[0-9a-f]{48}"),
    Form("a Pinecone API key", PROVIDER, ("pcsk_",), r"pcsk_[A-Za-z0-9]{5,6}_[A-Za-z0-9]{63}"),
    Form("a Jina AI API key", PROVIDER, ("jina_",), r"jina_[A-Za-z0-9]{60}"),
    Form("a Voyage AI API key", PROVIDER, ("voyage",), _named("voyage", r"pa-[A-Za-z0-9_-]{40,50}")),
    Form("a Databricks token", PROVIDER, ("dapi",), r"dapi[0-9a-f]{32}(?:-[0-9])?"),
    Form("a DeepSeek API key, or one of the same form", PROVIDER, (r"sk-(?=[a-z0-9_-]{16})",), r"sk-[0-9a-f]{32}"),
    Form(
        "an API key of a provider or gateway", PROVIDER, (r"sk-(?=[a-z0-9_-]{16})",), rf"sk-{_MOTLEY}[A-Za-z0-9]{{48}}"
    ),
    Form("a key of a LiteLLM gateway", PROVIDER, ("litellm",), _named("litellm", rf"sk-{_MOTLEY}[A-Za-z0-9_-]{{22}}")),
    Form(
        "an API key",
        PROVIDER,
        (r"sk-(?=[a-z0-9_-]{16})", r"rk-(?=[a-z0-9_-]{16})", r"pk-(?=[a-z0-9_-]{16})"),
        "",
        sign=r"\b(?:sk|rk|pk)-[A-Za-z0-9_-]*[A-Za-z0-9_]{16,}",
    ),
    Form(
        "an AWS access key",
        CREDENTIAL,
        (r"a[ksb]ia(?=[a-z0-9]{16})",),
        r"(?:AKIA|ASIA|ABIA)[A-Z2-7]{16}",
        sign=r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        glue="/+",
    ),
    Form(
        "an AWS secret access key",
        CREDENTIAL,
        ("secret_access_key", "secretaccesskey"),
        r"(?i:secret_?access_?key)[^\nA-Za-z0-9]{1,8}([A-Za-z0-9+/]{40})",
        glue="/+",
    ),
    Form(
        "a token of Vault",
        CREDENTIAL,
        (r"hv[srb]\.",),
        rf"hv[sr]\.(?:[\w-]{{90,200}}|{_MOTLEY}[A-Za-z0-9]{{24}})|hvb\.[\w-]{{100,400}}",
        sign=r"\bhv[sbr]\.[A-Za-z0-9_-]{24,}",
        glue=".",
    ),
    Form(
        "a token of OpenBao",
        CREDENTIAL,
        (r"s\.(?=[a-z0-9_-]{24})", r"b\.(?=[a-z0-9_-]{24})", r"r\.(?=[a-z0-9_-]{24})"),
        rf"s\.{_MOTLEY}[A-Za-z0-9]{{24}}(?:\.[A-Za-z0-9]{{5,6}})?|b\.AAAAA[\w-]{{80,400}}",
        sign=r"\b[sbr]\.[A-Za-z0-9_-]{24,}",
        glue=".()[]$",
    ),
    Form(
        "a GitHub token",
        CREDENTIAL,
        (r"gh[pousr]_", "github_pat_"),
        r"gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
        sign=r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    ),
    Form("a GitLab token", CREDENTIAL, ("glpat-",), r"glpat-[A-Za-z0-9_-]{20}"),
    Form(
        "a Slack token",
        CREDENTIAL,
        ("xox",),
        r"xox[abeoprs]-(?:[0-9]{8,14}-){1,3}[A-Za-z0-9]{18,64}",
        sign=r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    ),
    Form("a secret key of age", CREDENTIAL, ("age-secret-key-1",), r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    Form(
        "a private key",
        PRIVATE_KEY,
        ("private key",),
        rf"-----BEGIN (?!ENCRYPTED )(?:[A-Z0-9]+ ){{0,3}}PRIVATE KEY(?: BLOCK)?-----{_LINE_END}"
        rf"(?:[A-Za-z-]{{1,40}}: [^\n\\]{{0,200}}{_LINE_END}){{0,5}}[A-Za-z0-9+/=]{{40,}}",
        sign=r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    ),
)


def marked(text: str) -> list[Form]:
    """Return the forms that a text may hold, by their marks; nearly always none."""
    lower = text.lower()
    here = {lower[found.start() : found.start() + _FAR_ENOUGH] for found in _ANY_MARK.finditer(lower)}
    return [form for form, mark in _MARKS if any(mark.search(piece) for piece in here)] if here else []


def _any_of(marks: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for any mark, longest first. Grouped by first letter it is three times as fast."""
    by_letter: dict[str, list[str]] = {}
    for mark in sorted(marks, key=len, reverse=True):
        by_letter.setdefault(mark[0], []).append(mark[1:])
    return re.compile("|".join(f"{letter}(?:{'|'.join(rest)})" for letter, rest in by_letter.items()))


# Characters, more than any mark looks at.
_FAR_ENOUGH = 40
_MARKS = tuple((form, re.compile("|".join(form.marks))) for form in FORMS)
_ANY_MARK = _any_of({mark: None for form in FORMS for mark in form.marks})
