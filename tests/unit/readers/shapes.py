"""The same essay in the markup of the systems that most blogs and documentations are made with, and its index page.

The markup has the elements and classes of each system's default theme; the words are our own.
"""

from __future__ import annotations

from typing import NamedTuple

# fmt: off
__all__ = ["ESSAY", "LOST", "SHAPES", "Shape"]

TITLE = "The Tide Table of Marrowby"
OTHERS = ("On Lamps and Oil", "A Winter at the Sluice")
# What each shape's page must be read as, and nothing else.
ESSAY = (
    ("paragraph", "The tide table of Marrowby was computed by Agnes Thole, who never saw the sea [1]."),
    ("heading", "The winter of the ice"),
    ("paragraph", "Nobody on the quay remembers it in any other way, and the ledgers agree with that account."),
    ("code", "depth = 6 * fathoms\n    if ice: wait()"),
    ("paragraph", "Her rule had two parts."),
    ("paragraph", "Read the gauge at dawn."),
    ("paragraph", "Write it down before noon."),
    ("table", "Month | Depth\nMarch | 12\nApril | 14"),
    ("quote", "The sea keeps no ledger, so we must."),
    ("note", "[1] She lived in Leith."),
)
# Words of everything that stands around it.
LOST = "Home|About me|Categories|sea-and-tides|Share this|Tweet|gull42|never believed|Accept all|Subscribe now|On Lamps|Sluice|min read|Edit this|Powered by|©|¶|#|↩|Skip to|Search|Agnes Gull|Copy|On this page"

_LIST = "<ul><li>Read the gauge at dawn.</li><li>Write it down before noon.</li></ul>"
_TABLE = "<table><thead><tr><th>Month</th><th>Depth</th></tr></thead><tbody><tr><td>March</td><td>12</td></tr><tr><td>April</td><td>14</td></tr></tbody></table>"
_QUOTE = "<blockquote><p>The sea keeps no ledger, so we must.</p></blockquote>"
_REF = '<sup id="fnref:1"><a href="#fn:1" class="footnote-ref" role="doc-noteref">1</a></sup>'
_NOTES = '<div class="footnotes" role="doc-endnotes"><hr><ol><li id="fn:1"><p>She lived in Leith.&#160;<a href="#fnref:1" class="footnote-backref" role="doc-backlink">&#8617;&#xfe0e;</a></p></li></ol></div>'
_CODE = "<pre><code>depth = 6 * fathoms\n    if ice: wait()\n</code></pre>"
_COOKIES = '<div id="cookie-banner" class="cookie-consent"><p>We use cookies to keep the lamps lit.</p><button>Accept all</button></div>'
_COMMENTS = '<ol class="comment-list"><li class="comment"><article class="comment-body"><footer class="comment-meta"><b>gull42</b> <time datetime="2021-09-01">1 September 2021</time></footer><p>I have never believed a word of this story about the tides, and my uncle did not either.</p></article></li></ol>'
_RELATED = "".join(f'<li><a href="/{title.lower().replace(" ", "-")}/">{title}</a></li>' for title in OTHERS)


class Shape(NamedTuple):
    """A system's page of the essay, the date that is right, and its page that lists the essays."""

    name: str
    page: str
    date: str
    listing: str


def _body(*, ref: str = _REF, heading: str = '<h2 id="ice">{}</h2>', code: str = _CODE, notes: str = _NOTES, table: str = _TABLE, quote: str = _QUOTE) -> str:
    first = f"<p>The tide table of Marrowby was computed by Agnes Thole, who never saw the sea{ref}.</p>"
    then = "<p>Nobody on the quay remembers it in any other way, and the ledgers agree with that account.</p>"
    return first + heading.format("The winter of the ice") + then + code + f"<p>Her rule had two parts.</p>{_LIST}{table}{quote}{notes}"


def _html(head: str, body: str, attributes: str = "") -> str:
    return f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">{head}</head><body {attributes}>{body}</body></html>'


def _index(menu: str, posts: str, after: str = "") -> str:
    return _html("<title>The Quay</title>", menu + posts + after)


_MENU = '<ul id="menu"><li><a href="/">Home</a></li><li><a href="/about/">About me</a></li><li><a href="/tags/">Tags</a></li></ul>'
_ALL = (TITLE, *OTHERS)


def _slug(title: str) -> str:
    return title.lower().replace(" ", "-")


HUGO = Shape(
    "Hugo",
    _html(
        f'<title>{TITLE} | The Quay</title><meta property="og:title" content="{TITLE}"><meta property="article:published_time" content="2021-08-30T10:00:00+00:00">',
        f'<header class="header"><nav class="nav"><a href="/">Home</a><a href="/about/">About me</a></nav></header><main class="main"><article class="post-single"><header class="post-header"><div class="breadcrumbs"><a href="/">Home</a>&nbsp;»&nbsp;<a href="/posts/">Posts</a></div>'
        f'<h1 class="post-title">{TITLE}</h1><div class="post-meta"><span title="2021-08-30">August 30, 2021</span>&nbsp;·&nbsp;4 min read&nbsp;·&nbsp;Agnes Gull</div></header>'
        '<div class="toc"><details><summary>Table of Contents</summary><ul><li><a href="#ice">The winter of the ice</a></li></ul></details></div><div class="post-content">'
        + _body(
            heading='<h2 id="ice">{}<a hidden class="anchor" aria-hidden="true" href="#ice">#</a></h2>',
            code='<div class="highlight"><table class="lntable"><tr><td class="lntd"><pre tabindex="0" class="chroma"><code><span class="lnt">1\n</span><span class="lnt">2\n</span></code></pre></td><td class="lntd"><pre class="chroma"><code class="language-py"><span class="line"><span class="cl"><span class="n">depth</span> = 6 * fathoms\n</span></span><span class="line"><span class="cl">    if ice: wait()\n</span></span></code></pre></td></tr></table></div>',
        )
        + '</div><footer class="post-footer"><ul class="post-tags"><li><a href="/tags/sea-and-tides/">sea-and-tides</a></li></ul><nav class="paginav"><a class="prev" href="/p/lamps/"><span class="title">« Prev</span><br><span>On Lamps and Oil</span></a></nav><div class="share-buttons"><a href="#">Tweet</a></div></footer></article></main>'
        '<footer class="footer"><span>© 2021 The Quay</span> · <span>Powered by Hugo</span></footer>',
    ),
    "August 30, 2021",
    _index(
        '<header class="header"><nav class="nav"><ul id="menu"><li><a href="/about/">About me</a></li><li><a href="/tags/">Tags</a></li></ul></nav></header>',
        '<main class="main">' + "".join(f'<article class="post-entry"><header class="entry-header"><h2 class="entry-hint-parent">{t}</h2></header><div class="entry-content"><p>First words …</p></div><footer class="entry-footer"><span>August 30, 2021</span></footer><a class="entry-link" aria-label="post link to {t}" href="/{_slug(t)}/"></a></article>' for t in _ALL)
        + '<footer class="page-footer"><nav class="pagination"><a class="next" href="/page/2/">Next »</a></nav></footer></main>',
    ),
)

JEKYLL = Shape(
    "Jekyll",
    _html(
        f'<title>{TITLE} | The Quay</title><meta property="og:site_name" content="The Quay"><script type="application/ld+json">{{"@context":"https://schema.org","@type":"BlogPosting","headline":"{TITLE}","datePublished":"2021-08-30T00:00:00+00:00","dateModified":"2023-01-02T00:00:00+00:00"}}</script>',
        f'<header class="site-header"><div class="wrapper"><a class="site-title" rel="author" href="/">The Quay</a><nav class="site-nav"><div class="trigger"><a class="page-link" href="/about/">About me</a></div></nav></div></header><main class="page-content" aria-label="Content"><div class="wrapper"><article class="post h-entry" itemscope>'
        f'<header class="post-header"><h1 class="post-title p-name" itemprop="name headline">{TITLE}</h1><p class="post-meta"><time class="dt-published" datetime="2021-08-30T00:00:00+00:00" itemprop="datePublished">Aug 30, 2021</time></p></header><div class="post-content e-content" itemprop="articleBody">'
        + _body(
            code='<div class="language-py highlighter-rouge"><div class="highlight"><pre class="highlight"><code><table class="rouge-table"><tbody><tr><td class="rouge-gutter gl"><pre class="lineno">1\n2\n</pre></td><td class="rouge-code"><pre>depth = 6 * fathoms\n    if ice: wait()\n</pre></td></tr></tbody></table></code></pre></div></div>',
        )
        + '</div><div id="disqus_thread"><p>Please enable JavaScript to view the comments of gull42.</p></div><a class="u-url" href="/tides/" hidden></a></article></div></main><footer class="site-footer h-card"><div class="wrapper"><p>Subscribe now by <a href="/feed.xml">RSS</a></p></div></footer>',
    ),
    "Aug 30, 2021",
    _index(
        '<header class="site-header"><nav class="site-nav"><a class="page-link" href="/about/">About me</a></nav></header>',
        '<main class="page-content"><div class="home"><h2 class="post-list-heading">Posts</h2><ul class="post-list">' + "".join(f'<li><span class="post-meta">Aug 30, 2021</span><h3><a class="post-link" href="/{_slug(t)}.html">{t}</a></h3></li>' for t in _ALL) + '</ul><p class="feed-subscribe"><a href="/feed.xml">via RSS</a></p></div></main>',
    ),
)

WORDPRESS = Shape(
    "WordPress",
    _html(
        f'<title>{TITLE} &#8211; The Quay</title><link rel="canonical" href="http://quay.example/the-tide-table-of-marrowby/"><meta property="og:site_name" content="The Quay">',
        f'<div id="page" class="hfeed site"><a class="skip-link screen-reader-text" href="#content">Skip to content</a><header id="masthead" class="site-header"><h1 class="site-title"><a href="/" rel="home">The Quay</a></h1><div class="site-description">Words about tides and other things that come back.</div><nav id="site-navigation" class="main-navigation"><ul class="menu"><li class="menu-item"><a href="/about/">About me</a></li></ul></nav></header>'
        f'<div id="main"><div id="primary" class="content-area"><div id="content" role="main"><article id="post-7" class="post-7 post type-post hentry category-sea tag-sea-and-tides"><header class="entry-header"><h2 class="entry-title"><a href="/the-tide-table-of-marrowby/" rel="bookmark">{TITLE}</a></h2><div class="entry-meta"><span class="posted-on">Posted on <a href="/2021/08/"><time class="entry-date published" datetime="2021-08-30T09:00:00+00:00">30 August 2021</time><time class="updated" datetime="2022-01-01T09:00:00+00:00">1 January 2022</time></a></span> <span class="byline">by <span class="author vcard"><a href="/author/agnes/">Agnes Gull</a></span></span></div></header>'
        f'<div class="entry-content">{_body()}<div class="sharedaddy sd-sharing-enabled"><h3 class="sd-title">Share this:</h3><ul><li class="share-twitter"><a href="#"><span>Tweet</span></a></li></ul></div><div id="jp-relatedposts" class="jp-relatedposts"><h3 class="jp-relatedposts-headline">Related</h3><ul>{_RELATED}</ul></div></div>'
        f'<footer class="entry-meta">This entry was posted in <a href="/category/sea/">Sea</a> and tagged <a href="/tag/sea-and-tides/">sea-and-tides</a>.</footer></article><nav class="nav-single"><span class="nav-previous"><a href="/x/">← On Lamps and Oil</a></span></nav><div id="comments" class="comments-area"><h2 class="comments-title">One thought on “{TITLE}”</h2>{_COMMENTS}<div id="respond" class="comment-respond"><h3>Leave a Reply</h3><form id="commentform"><p class="comment-form-comment"><label>Comment</label><textarea></textarea></p></form></div></div></div></div>'
        f'<div id="secondary" class="widget-area" role="complementary"><aside class="widget widget_categories"><h3 class="widget-title">Categories</h3><ul><li><a href="/category/sea/">Sea</a></li></ul></aside></div></div><footer id="colophon" class="site-footer">Proudly powered by WordPress. Powered by tea.</footer></div>{_COOKIES}',
        'class="single single-post postid-7 single-format-standard has-sidebar"',
    ),
    "30 August 2021",
    _index(
        '<header id="masthead" class="site-header"><nav class="main-navigation"><ul class="menu"><li><a href="/about/">About me</a></li></ul></nav></header>',
        '<div id="primary"><div id="content" role="main">' + "".join(f'<article class="post hentry"><header class="entry-header"><h2 class="entry-title"><a href="/{_slug(t)}/" rel="bookmark">{t}</a></h2><div class="entry-meta"><a href="/2021/08/30/">30 August 2021</a></div></header><div class="entry-summary"><p>First words <a href="/{_slug(t)}/" class="more-link">Continue reading</a></p></div><footer class="entry-meta"><a href="/category/sea/">Sea</a> <a href="/{_slug(t)}/#comments">2 Comments</a></footer></article>' for t in _ALL)
        + '<nav class="navigation"><a href="/page/2/">Older posts</a></nav></div></div><div id="secondary" class="widget-area"><aside class="widget"><h2 class="widget-title">Recent Posts</h2><ul><li><a href="/old-post/">An old post of the sidebar</a></li></ul></aside></div>',
    ),
)

GHOST = Shape(
    "Ghost",
    _html(
        f'<title>{TITLE}</title><meta property="og:site_name" content="The Quay"><meta property="article:published_time" content="2021-08-30T10:00:00.000Z">',
        f'<div class="viewport"><header id="gh-head" class="gh-head"><a class="gh-head-logo" href="/">The Quay</a><nav class="gh-head-menu"><ul class="nav"><li class="nav-about"><a href="/about/">About me</a></li></ul></nav></header><div class="site-content"><main id="site-main" class="site-main"><article class="article post tag-sea">'
        f'<header class="article-header gh-canvas"><div class="article-tag post-card-tags"><span class="post-card-primary-tag"><a href="/tag/sea-and-tides/">sea-and-tides</a></span></div><h1 class="article-title">{TITLE}</h1><div class="article-byline"><section class="article-byline-content"><h4 class="author-name"><a href="/author/agnes/">Agnes Gull</a></h4><div class="byline-meta-content"><time class="byline-meta-date" datetime="2021-08-30">Aug 30, 2021</time><span class="byline-reading-time"><span class="bull">•</span> 4 min read</span></div></section></div></header>'
        f'<section class="gh-content gh-canvas">{_body(quote="<blockquote>The sea keeps no ledger, so we must.</blockquote>")}<div class="kg-card kg-signup-card"><h3>Subscribe now</h3><form data-members-form><input type="email"><button>Go</button></form></div></section></article></main>'
        f'<section class="footer-cta outer"><h2 class="footer-cta-title">Subscribe now to The Quay</h2></section><aside class="read-more-wrap outer"><div class="read-more inner">' + "".join(f'<article class="post-card post"><a href="/{_slug(t)}/"><h2 class="post-card-title">{t}</h2></a><div class="post-card-excerpt">First words of it, and a few more of them.</div></article>' for t in OTHERS)
        + '</div></aside></div><footer class="site-footer outer"><section class="copyright">The Quay © 2021</section><div class="gh-powered-by">Powered by Ghost</div></footer></div>',
    ),
    "Aug 30, 2021",
    _index(
        '<header id="gh-head" class="gh-head"><nav class="gh-head-menu"><ul class="nav"><li><a href="/about/">About me</a></li></ul></nav></header>',
        '<main id="site-main"><div class="post-feed">' + "".join(f'<article class="post-card post"><a class="post-card-image-link" href="/{_slug(t)}/"><img src=a.jpg></a><div class="post-card-content"><a class="post-card-content-link" href="/{_slug(t)}/"><header class="post-card-header"><h2 class="post-card-title">{t}</h2></header><div class="post-card-excerpt">First words.</div></a><footer class="post-card-meta"><time datetime="2021-08-30">Aug 30, 2021</time></footer></div></article>' for t in _ALL)
        + '</div><nav class="pagination"><a class="older-posts" href="/page/2/">Older Posts →</a></nav></main>',
    ),
)

SUBSTACK = Shape(
    "a newsletter",
    _html(
        f'<title>{TITLE} - by Agnes Gull - The Quay</title><meta property="og:title" content="{TITLE}"><script type="application/ld+json">{{"@type":"NewsArticle","headline":"{TITLE}","datePublished":"2021-08-30T08:00:00-04:00","isAccessibleForFree":true}}</script>',
        f'<div id="entry"><div id="main" class="main typography"><div class="main-menu"><div class="topbar"><a href="/">Home</a><button>Subscribe now</button></div></div><div class="single-post-container"><div class="container"><div class="single-post"><article class="typography newsletter-post post"><div role="region" aria-label="Post header" class="post-header"><h1 class="post-title published">{TITLE}</h1><div class="byline-wrapper"><a href="/@agnes">Agnes Gull</a><div class="meta">Aug 30, 2021</div></div><div class="post-ufi"><button>12</button></div></div>'
        f'<div class="available-content"><div class="body markup">'
        + _body(
            ref='<a data-component-name="FootnoteAnchorToDOM" id="footnote-anchor-1" href="#footnote-1" class="footnote-anchor">[1]</a>'.replace("<a", " <a"),
            code="<pre><code>depth = 6 * fathoms\n    if ice: wait()</code></pre>",
            notes='<div class="subscription-widget-wrap"><div class="subscription-widget"><p class="cta-caption">Subscribe now for free.</p><form class="subscription-widget-subscribe"><input type="email"><button>Go</button></form></div></div><div class="footnote" data-component-name="FootnoteToDOM"><a id="footnote-1" href="#footnote-anchor-1" class="footnote-number">[1]</a> <div class="footnote-content">She lived in Leith.</div></div>',
        )
        + f'</div></div><div class="post-footer"><a href="#">Share this</a></div></article></div><div id="discussion" class="comments-page"><h4>Discussion</h4><div class="comment-list">{_COMMENTS}</div></div><div class="footer-wrap"><div class="footer-blurb">© 2021 Agnes Gull</div></div></div></div></div></div>',
    ),
    "Aug 30, 2021",
    _index(
        '<div class="main-menu"><div class="topbar"><a href="/about">About me</a></div></div>',
        '<div class="portable-archive-list">' + "".join(f'<div role="article" class="post-preview"><div class="post-preview-content"><a href="/p/{_slug(t)}" class="post-preview-title">{t}</a><a href="/p/{_slug(t)}" class="post-preview-description">First words of the essay, and a few more.</a><div><time datetime="2021-08-30">Aug 30</time> <a href="/@agnes">Agnes Gull</a></div></div></div>' for t in _ALL) + "</div>",
    ),
)

DOCUSAURUS = Shape(
    "Docusaurus",
    _html(
        f"<title>{TITLE} | The Quay</title>",
        f'<div id="__docusaurus"><div role="region" aria-label="Skip to main content"><a class="skipToContent_fXgn" href="#x">Skip to main content</a></div><nav aria-label="Main" class="navbar navbar--fixed-top"><a href="/">Home</a></nav><div id="__docusaurus_skipToContent_fallback" class="main-wrapper"><div class="docsWrapper"><aside class="theme-doc-sidebar-container"><nav class="menu"><ul class="theme-doc-sidebar-menu menu__list">{_RELATED}</ul></nav></aside>'
        f'<main class="docMainContainer"><div class="container"><div class="row"><div class="col docItemCol"><div class="docItemContainer"><article><nav class="theme-doc-breadcrumbs" aria-label="Breadcrumbs"><ul class="breadcrumbs"><li><a href="/">Home page</a></li></ul></nav><div class="tocCollapsible theme-doc-toc-mobile"><button>On this page</button></div><div class="theme-doc-markdown markdown"><header><h1>{TITLE}</h1></header>'
        + _body(
            heading='<h2 class="anchor anchorWithStickyNavbar" id="ice">{}<a href="#ice" class="hash-link" aria-label="Direct link" title="Direct link">&#8203;</a></h2>',
            ref='<sup><a href="#fn-1" id="fnref-1" data-footnote-ref="true" aria-describedby="footnote-label">1</a></sup>',
            code='<div class="language-py codeBlockContainer theme-code-block"><div class="codeBlockContent"><pre tabindex="0" class="prism-code"><code class="codeBlockLines"><span class="token-line"><span class="token plain">depth = 6 * fathoms</span><br></span><span class="token-line"><span class="token plain">    if ice: wait()</span><br></span></code></pre><div class="buttonGroup"><button type="button" aria-label="Copy">Copy</button></div></div></div>',
            notes='<section data-footnotes="true" class="footnotes"><h2 class="sr-only" id="footnote-label">Footnotes</h2><ol><li id="fn-1"><p>She lived in Leith. <a href="#fnref-1" data-footnote-backref="true" class="data-footnote-backref">↩</a></p></li></ol></section>',
        )
        + f'</div><footer class="theme-doc-footer"><div class="theme-doc-footer-edit-meta-row"><a href="https://x.example/edit" class="theme-edit-this-page">Edit this page</a> <span class="theme-last-updated">Last updated on <b><time datetime="2021-08-30T00:00:00.000Z">Aug 30, 2021</time></b></span></div></footer></article><nav class="docusaurus-mt-lg pagination-nav" aria-label="Docs pages">{_RELATED}</nav></div></div><div class="col col--3"><div class="tableOfContents theme-doc-toc-desktop"><ul class="table-of-contents"><li><a href="#ice">The winter of the ice</a></li></ul></div></div></div></div></main></div></div><footer class="theme-layout-footer footer"><div>Copyright © 2021</div></footer></div>',
    ),
    "",
    _index(
        '<nav class="navbar"><a href="/about">About me</a></nav>',
        '<main><section class="row list"><h1>Essays</h1>' + "".join(f'<article class="col col--6"><a class="card padding--lg cardContainer" href="/{_slug(t)}"><h2 class="text--truncate cardTitle" title="{t}">📄️ {t}</h2><p class="cardDescription">First words.</p></a></article>' for t in _ALL) + "</section></main>",
    ),
)

SPHINX = Shape(
    "Sphinx",
    _html(
        f"<title>{TITLE} &#8212; The Quay 1.0 documentation</title>",
        f'<div class="related" role="navigation" aria-label="related navigation"><h3>Navigation</h3><ul><li class="right"><a href="genindex.html">index</a></li><li class="nav-item"><a href="index.html">Home</a> &#187;</li></ul></div><div class="document"><div class="documentwrapper"><div class="bodywrapper"><div class="body" role="main"><section id="the-tide-table"><h1>{TITLE}<a class="headerlink" href="#the-tide-table" title="Link to this heading">¶</a></h1>'
        + _body(
            heading='<section id="ice"><h2>{}<a class="headerlink" href="#ice" title="Link to this heading">¶</a></h2>',
            ref='<a class="footnote-reference brackets" href="#id2" id="id1" role="doc-noteref"><span class="fn-bracket">[</span>1<span class="fn-bracket">]</span></a>'.replace("<a", " <a"),
            code='<div class="highlight-default notranslate"><div class="highlight"><pre><span></span><span class="linenos">1</span><span class="n">depth</span> = 6 * fathoms\n<span class="linenos">2</span>    if ice: wait()\n</pre></div></div>',
            table=_TABLE.replace("<td>", "<td><p>").replace("</td>", "</p></td>").replace("<th>", '<th class="head"><p>').replace("</th>", "</p></th>"),
            notes='<aside class="footnote-list brackets"><aside class="footnote brackets" id="id2" role="doc-footnote"><span class="label"><span class="fn-bracket">[</span><a role="doc-backlink" href="#id1">1</a><span class="fn-bracket">]</span></span><p>She lived in Leith.</p></aside></aside></section>',
        )
        + f'</section><div class="clearer"></div></div></div></div><div class="sphinxsidebar" role="navigation" aria-label="Main"><div class="sphinxsidebarwrapper"><h3><a href="index.html">Table of Contents</a></h3><ul>{_RELATED}</ul><div role="note" aria-label="source link"><h3>This Page</h3><ul class="this-page-menu"><li><a href="_sources/tides.rst.txt">Show Source</a></li></ul></div><search id="searchbox"><h3 id="searchlabel">Quick search</h3><div class="searchformwrapper"><form class="search"><input type="text"><input type="submit" value="Go"></form></div></search></div></div></div><div class="footer" role="contentinfo">&#169; Copyright 2021, Agnes Gull. Created using Sphinx.</div>',
    ),
    "",
    _index(
        '<div class="related" role="navigation"><ul><li><a href="/genindex.html">index</a></li></ul></div>',
        '<div class="document"><div class="body" role="main"><section id="q"><h1>The Quay</h1><div class="toctree-wrapper compound"><ul>' + "".join(f'<li class="toctree-l1"><a class="reference internal" href="/{_slug(t)}.html">{t}</a></li>' for t in _ALL) + '</ul></div></section></div></div><div class="sphinxsidebar" role="navigation"><ul><li><a href="/search.html">Search</a></li></ul></div>',
    ),
)

MKDOCS = Shape(
    "MkDocs",
    _html(
        f"<title>{TITLE} - The Quay</title>",
        f'<div class="md-skip"><a href="#the-tide-table" class="md-skip">Skip to content</a></div><header class="md-header" data-md-component="header"><nav class="md-header__inner md-grid" aria-label="Header"><a href=".." class="md-header__button md-logo">The Quay</a><div class="md-search" role="dialog"><form class="md-search__form"><input type="text" placeholder="Search"></form></div></nav></header><div class="md-container"><main class="md-main"><div class="md-main__inner md-grid"><div class="md-sidebar md-sidebar--primary"><nav class="md-nav md-nav--primary"><ul class="md-nav__list">{_RELATED}</ul></nav></div><div class="md-sidebar md-sidebar--secondary"><nav class="md-nav md-nav--secondary" aria-label="Table of contents"><label class="md-nav__title">On this page</label></nav></div>'
        f'<div class="md-content" data-md-component="content"><article class="md-content__inner md-typeset"><a href="https://x.example/edit" title="Edit this page" class="md-content__button md-icon">Edit this page</a><h1 id="the-tide-table">{TITLE}<a class="headerlink" href="#the-tide-table" title="Permanent link">&para;</a></h1>'
        + _body(
            heading='<h2 id="ice">{}<a class="headerlink" href="#ice" title="Permanent link">&para;</a></h2>',
            code='<div class="highlight"><table class="highlighttable"><tr><td class="linenos"><div class="linenodiv"><pre><span></span><span class="normal">1</span>\n<span class="normal">2</span></pre></div></td><td class="code"><div><pre><span></span><code>depth = 6 * fathoms\n    if ice: wait()\n</code></pre></div></td></tr></table></div>',
            notes='<div class="footnote"><hr /><ol><li id="fn:1"><p>She lived in Leith.&#160;<a class="footnote-backref" href="#fnref:1">&#8617;</a></p></li></ol></div>',
        )
        + '<aside class="md-source-file"><span class="md-source-file__fact"><span class="git-revision-date">August 30, 2021</span></span></aside><form class="md-feedback"><fieldset><legend class="md-feedback__title">Was this page helpful? Share this.</legend><div><button>Yes</button></div></fieldset></form></article></div></div></main><footer class="md-footer"><nav class="md-footer__inner"><a href="x/" class="md-footer__link"><div class="md-footer__title">On Lamps and Oil</div></a></nav><div class="md-footer-meta"><div class="md-copyright">Copyright &copy; 2021. Made with <a href="#">Material</a></div></div></footer></div>',
    ),
    "",
    _index(
        '<header class="md-header"><nav><a href="/">The Quay</a></nav></header>',
        '<main class="md-main"><div class="md-sidebar"><nav class="md-nav"><ul><li><a href="/about/">About me</a></li></ul></nav></div><div class="md-content"><article class="md-content__inner"><h1>Essays</h1><ul>' + "".join(f'<li><a href="/{_slug(t)}/">{t}</a></li>' for t in _ALL) + "</ul></article></div></main>",
    ),
)

SHAPES = (HUGO, JEKYLL, WORDPRESS, GHOST, SUBSTACK, DOCUSAURUS, SPHINX, MKDOCS)
