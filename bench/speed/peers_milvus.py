"""Peers that search words and vectors in one Milvus, each in a collection of its own, as their documents show."""

from __future__ import annotations

from collections.abc import Callable

from bench.speed.peer_ground import Ground, K, Search, langchain_known, llama_index_known, llama_index_nodes

__all__ = ["MILVUS"]

# The indexes of Milvus that its embedded form has.
_BY_MEANING = {"index_type": "HNSW", "metric_type": "COSINE", "params": {"M": 16, "efConstruction": 200}}
_BY_WORDS = {"index_type": "SPARSE_INVERTED_INDEX", "metric_type": "BM25", "params": {}}
# How many documents are sent to a server in one request.
_AT_ONCE = 1000


def llama_index_milvus(ground: Ground) -> Search:
    from llama_index.core import StorageContext, VectorStoreIndex
    from llama_index.vector_stores.milvus import MilvusVectorStore
    from llama_index.vector_stores.milvus.utils import BM25BuiltInFunction

    store = MilvusVectorStore(
        uri=ground.milvus(),
        collection_name="llama_index",
        dim=ground.vectors().shape[1],
        overwrite=True,
        enable_sparse=True,
        sparse_embedding_function=BM25BuiltInFunction(),
        use_async_client=False,
    )
    index = VectorStoreIndex(
        llama_index_nodes(ground, with_vectors=True),
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=llama_index_known(ground),
    )
    store.client.flush("llama_index")
    retriever = index.as_retriever(vector_store_query_mode="hybrid", similarity_top_k=K)
    return lambda n: [found.node.get_content() for found in retriever.retrieve(ground.questions[n])]


def langchain_milvus_(ground: Ground) -> Search:
    from langchain_milvus import BM25BuiltInFunction, Milvus

    store = Milvus.from_texts(
        ground.texts,
        langchain_known(ground),
        collection_name="langchain",
        connection_args={"uri": ground.milvus()},
        builtin_function=BM25BuiltInFunction(),
        vector_field=["dense", "sparse"],
        index_params=[_BY_MEANING, _BY_WORDS],
        search_params=[{"metric_type": "COSINE", "params": {"ef": 64}}, {"metric_type": "BM25", "params": {}}],
        drop_old=True,
    )
    store.client.flush("langchain")
    return lambda n: [
        found.page_content
        for found in store.similarity_search(ground.questions[n], k=K, ranker_type="rrf", ranker_params={"k": 60})
    ]


def haystack_milvus(ground: Ground) -> Search:
    from haystack import Document
    from milvus_haystack import MilvusDocumentStore
    from milvus_haystack.function import BM25BuiltInFunction
    from milvus_haystack.milvus_embedding_retriever import MilvusHybridRetriever

    asked = ground.asked()
    store = MilvusDocumentStore(
        collection_name="haystack",
        connection_args={"uri": ground.milvus()},
        drop_old=True,
        index_params=_BY_MEANING,
        sparse_vector_field="sparse",
        sparse_index_params=_BY_WORDS,
        builtin_function=BM25BuiltInFunction(input_field_names="text", output_field_names="sparse"),
    )
    vectors = ground.vectors().tolist()
    documents = [Document(id=str(n), content=text, embedding=vectors[n]) for n, text in enumerate(ground.texts)]
    for start in range(0, len(documents), _AT_ONCE):
        store.write_documents(documents[start : start + _AT_ONCE])
    store.client.flush("haystack")
    retriever = MilvusHybridRetriever(store, top_k=K)

    def search(n: int) -> list[str]:
        question = ground.questions[n]
        found = retriever.run(query_embedding=asked[question], query_text=question)
        return [document.content for document in found["documents"]]

    return search


# What is installed to have a peer, and how it is opened.
MILVUS: dict[str, tuple[str, Callable[[Ground], Search]]] = {
    "LlamaIndex on Milvus": ("llama-index-vector-stores-milvus", llama_index_milvus),
    "LangChain on Milvus": ("langchain-milvus", langchain_milvus_),
    "Haystack on Milvus": ("milvus-haystack", haystack_milvus),
}
