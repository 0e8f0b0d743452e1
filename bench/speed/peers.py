"""One peer, as its users run it, in an environment of its own: `python -m bench.speed.peers PEER FOLDER`.

The folder has `texts.txt` and `questions.txt`, one a line, `index/bm25`, and for hybrid search `vectors.npy` and
`question-vectors.npy`; in `milvus.txt` the address of a server for those that use one. Says when it is ready; then, for
the number of a question on each line, how many milliseconds that question took. It imports nothing of this project.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ |= {"HAYSTACK_TELEMETRY_ENABLED": "False", "LANGCHAIN_TRACING_V2": "false", "TQDM_DISABLE": "1"}

from bench.speed.peer_ground import (
    Ground,
    K,
    Search,
    langchain_known,
    llama_index_known,
    llama_index_nodes,
)
from bench.speed.peers_milvus import MILVUS

__all__ = ["HYBRID", "KEYWORD", "main"]

# Of how many the two searches of a hybrid one are fused.
_CANDIDATES = 50


def bm25s_(ground: Ground, backend: str = "numpy") -> Search:
    import bm25s
    import Stemmer

    index = bm25s.BM25.load(ground.folder / "index" / "bm25", mmap=True, show_progress=False)
    stemmer = Stemmer.Stemmer("english")
    if backend == "numba":
        index.backend = backend
        index.activate_numba_scorer()

    def search(n: int) -> list[str]:
        words = bm25s.tokenize(
            ground.questions[n], stopwords=None, stemmer=stemmer, return_ids=False, show_progress=False
        )
        # As in this project, words that no chunk has are left out.
        words = [[word for word in words[0] if word in index.vocab_dict]]
        found = index.retrieve(words, corpus=ground.texts, k=K, show_progress=False)
        return list(found.documents[0])

    return search


def tantivy_(ground: Ground) -> Search:
    import tantivy

    schema = tantivy.SchemaBuilder().add_text_field("text", stored=True, tokenizer_name="en_stem").build()
    index = tantivy.Index(schema)
    writer = index.writer(heap_size=256_000_000)
    for text in ground.texts:
        writer.add_document(tantivy.Document(text=[text]))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def search(n: int) -> list[str]:
        query = index.parse_query(ground.questions[n], ["text"])
        return [searcher.doc(address)["text"][0] for _, address in searcher.search(query, K).hits]

    return search


def rank_bm25_(ground: Ground) -> Search:
    from rank_bm25 import BM25Okapi

    index = BM25Okapi([text.split() for text in ground.texts])
    return lambda n: index.get_top_n(ground.questions[n].split(), ground.texts, n=K)


def sqlite_(ground: Ground) -> Search:
    base = sqlite3.connect(":memory:")
    base.execute("create virtual table chunks using fts5(text, tokenize='porter')")
    base.executemany("insert into chunks values (?)", ((text,) for text in ground.texts))
    base.execute("insert into chunks(chunks) values ('optimize')")

    def search(n: int) -> list[str]:
        words = " OR ".join(ground.questions[n].split())
        return [
            text
            for (text,) in base.execute("select text from chunks where chunks match ? order by rank limit 10", (words,))
        ]

    return search


def llama_index_(ground: Ground) -> Search:
    retriever = _llama_index_bm25(llama_index_nodes(ground), K)
    return lambda n: [found.node.get_content() for found in retriever.retrieve(ground.questions[n])]


def langchain_(ground: Ground) -> Search:
    from langchain_community.retrievers import BM25Retriever

    retriever = BM25Retriever.from_texts(ground.texts, k=K)
    return lambda n: [found.page_content for found in retriever.invoke(ground.questions[n])]


def haystack_(ground: Ground) -> Search:
    from haystack.components.retrievers.in_memory import InMemoryBM25Retriever

    retriever = InMemoryBM25Retriever(_haystack_store(ground), top_k=K)
    return lambda n: [found.content for found in retriever.run(query=ground.questions[n])["documents"]]


def llama_index_hybrid(ground: Ground) -> Search:
    from llama_index.core import VectorStoreIndex
    from llama_index.core.llms import MockLLM
    from llama_index.core.retrievers import QueryFusionRetriever

    nodes = llama_index_nodes(ground, with_vectors=True)
    index = VectorStoreIndex(nodes, embed_model=llama_index_known(ground))
    retriever = QueryFusionRetriever(
        [_llama_index_bm25(nodes, _CANDIDATES), index.as_retriever(similarity_top_k=_CANDIDATES)],
        llm=MockLLM(),
        num_queries=1,
        mode="reciprocal_rerank",
        similarity_top_k=K,
        use_async=False,
    )
    return lambda n: [found.node.get_content() for found in retriever.retrieve(ground.questions[n])]


def langchain_hybrid(ground: Ground) -> Search:
    from langchain_classic.retrievers import EnsembleRetriever
    from langchain_community.retrievers import BM25Retriever
    from langchain_core.vectorstores import InMemoryVectorStore

    store = InMemoryVectorStore.from_texts(ground.texts, langchain_known(ground))
    retriever = EnsembleRetriever(
        retrievers=[
            BM25Retriever.from_texts(ground.texts, k=_CANDIDATES),
            store.as_retriever(search_kwargs={"k": _CANDIDATES}),
        ],
        weights=[0.5, 0.5],
    )
    return lambda n: [found.page_content for found in retriever.invoke(ground.questions[n])[:K]]


def haystack_hybrid(ground: Ground) -> Search:
    from haystack import Pipeline
    from haystack.components.joiners import DocumentJoiner
    from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever

    asked, store = ground.asked(), _haystack_store(ground, ground.vectors().tolist())
    pipeline = Pipeline()
    pipeline.add_component("words", InMemoryBM25Retriever(store, top_k=_CANDIDATES))
    pipeline.add_component("vectors", InMemoryEmbeddingRetriever(store, top_k=_CANDIDATES))
    pipeline.add_component("join", DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=K))
    pipeline.connect("words", "join")
    pipeline.connect("vectors", "join")

    def search(n: int) -> list[str]:
        question = ground.questions[n]
        done = pipeline.run({"words": {"query": question}, "vectors": {"query_embedding": asked[question]}})
        return [found.content for found in done["join"]["documents"]]

    return search


# What is installed to have a peer, and how it is opened.
KEYWORD: dict[str, tuple[str, Callable[[Ground], Search]]] = {
    "bm25s": ("bm25s", bm25s_),
    "bm25s + numba": ("bm25s", lambda ground: bm25s_(ground, "numba")),
    "tantivy": ("tantivy", tantivy_),
    "LlamaIndex BM25": ("llama-index-retrievers-bm25", llama_index_),
    "SQLite FTS5": ("", sqlite_),
    "rank_bm25": ("rank-bm25", rank_bm25_),
    "LangChain BM25": ("langchain-community", langchain_),
    "Haystack BM25": ("haystack-ai", haystack_),
}
HYBRID: dict[str, tuple[str, Callable[[Ground], Search]]] = {
    "LlamaIndex fusion": ("llama-index-core", llama_index_hybrid),
    "LangChain ensemble": ("langchain-classic", langchain_hybrid),
    "Haystack hybrid": ("haystack-ai", haystack_hybrid),
}


def main(name: str, folder: Path) -> None:
    """Open the peer, and answer until standard input ends."""
    # Libraries print what they like; what we say goes out by another way.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    package, open_ = (KEYWORD | HYBRID | MILVUS)[name]
    ground = Ground(folder)
    began = time.process_time()
    search = open_(ground)
    search(0)
    ready = {"seconds": time.process_time() - began, "release": version(package) if package else sqlite3.sqlite_version}
    print(json.dumps(ready), file=out, flush=True)
    for line in sys.stdin:
        began = time.process_time()
        found = search(int(line))
        took = 1000 * (time.process_time() - began)
        if not found or not all(isinstance(text, str) and text for text in found):
            raise SystemExit(f"{name} found nothing for question {line}")
        print(took, file=out, flush=True)


def _llama_index_bm25(nodes: list[Any], k: int) -> Any:
    from llama_index.retrievers.bm25 import BM25Retriever

    return BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=k)


def _haystack_store(ground: Ground, vectors: list[list[float]] | None = None) -> Any:
    from haystack import Document
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    store = InMemoryDocumentStore(embedding_similarity_function="dot_product")
    store.write_documents(
        [
            Document(id=str(n), content=text, embedding=vectors[n] if vectors else None)
            for n, text in enumerate(ground.texts)
        ]
    )
    return store


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
