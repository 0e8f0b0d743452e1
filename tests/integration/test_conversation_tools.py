"""Follow-ups and tools on a real index: what the offline rules and the tools come to on the sample essays."""

from __future__ import annotations

from contextual_rag.building.build import Built
from contextual_rag.ports import ToolCall
from contextual_rag.qa.query import Exchange, rewrite
from contextual_rag.qa.retrieve import retrieve
from contextual_rag.qa.tools import Toolbox
from contextual_rag.wiring import World

FOLLOW_UPS = [
    (
        "How much money did the two partners owe when their business closed?",
        "Why didn't they declare bankruptcy?",
        "people we’d meet in the street",
    ),
    (
        "What was the partners' original business idea, the guidebooks?",
        "Why was its first success bad for them?",
        "As it sold 1,500 we supposed",
    ),
    ("Who was Mr Baptiste?", "What did he like to read?", "great reader of westerns"),
    ("What was the drawing class with the jug like?", "How many weeks did it last?", "eleven weeks"),
    ("How many fishing boats did Skerrow have in 1961?", "And today?", "six boats"),
    ("How did she keep a log of the tide?", "How many entries did it have?", "2,480 entries"),
    ("What did Gordon the plumber know?", "Who did he write it to in the end?", "his nephew Liam"),
    ("Whom did she ask for a page about what they do well?", "How many gave one?", "Twenty-two gave me a page"),
    ("What was on the poster for the cattle sale?", "What was wrong with it?", "The ninth was a Wednesday"),
    ("Who was Miss Harker of the print shop?", "Which three things did she ask?", "who will be holding it"),
    ("Which station did the home-made radio receive?", "Until when did she listen to it?", "until Easter"),
    ("What happened with the letters from the bank?", "Where did she put them?", "second oven"),
]


def test_follow_ups_find_offline_what_their_words_alone_do_not(world: World, built: Built) -> None:
    index = world.indexes.open(world.registry.resolve())
    embedder = world.embedding_model(index.recipe)

    def finds(question: str, words: str) -> bool:
        hits = retrieve(index, world.vectors, embedder, question, k=6)
        return any(words in hit.chunk.text for hit in hits)

    alone = sum(finds(question, words) for _, question, words in FOLLOW_UPS)
    together = sum(
        finds(rewrite(question, [Exchange(before, "")], None).question, words) for before, question, words in FOLLOW_UPS
    )
    assert (alone <= 5, together >= 8) == (True, True), f"{alone} and {together} of {len(FOLLOW_UPS)}"


def test_tools_search_and_read_what_was_published(world: World, built: Built) -> None:
    index = world.indexes.open(world.registry.resolve())
    box = Toolbox(
        index=index,
        vectors=world.vectors,
        embedder=world.embedding_model(index.recipe),
        versions=world.registry.versions,
    )
    found = box.run(ToolCall("1", "search_essays", '{"query": "night porter who read westerns", "k": 3}'))
    assert any("Mr Baptiste" in hit.chunk.text for hit in found.hits)
    read = box.run(ToolCall("2", "read_essay", '{"slug": "jug"}'))
    text = "".join(hit.chunk.text for hit in read.hits)
    assert len(text) > 0.9 * (read.hits[-1].chunk.end - read.hits[0].chunk.start), "an essay is read without gaps"
    listed = box.run(ToolCall("3", "list_versions", "{}")).result
    assert (listed or "").startswith(f"{built.version} (answers this question): {built.essays} essays")
