"""Pages that other readers got wrong, after public reports about them: the shape of each, with words of our own.

`found` are the words that the essay must have, `lost` those that it must not have; both as phrases parted by `|`.
"""

from __future__ import annotations

from typing import NamedTuple

# fmt: off
__all__ = ["ALL", "REPORTS", "UNSEEN", "P", "Report"]

# Paragraphs of an essay, each with a name that no other has.
P = (
    "<p>The lamp of Ostrey was carried up the hill by Obadiah Pym, who was paid in salt for it.</p>",
    "<p>Nobody on the quay remembers it in any other way, and the ledgers of Marrowby agree with them.</p>",
    "<p>Agnes Thole computed the tides of that winter on the back of a chart of the estuary.</p>",
    "<p>When the ice broke in March, the ferry of Lissan was the first boat to leave the harbour.</p>",
    "<p>Its keeper, Isolde Marr, wrote down the depth of the channel every morning for thirty years.</p>",
)
ALL = "".join(P)
WHOLE = "Obadiah Pym|Marrowby agree|Agnes Thole|ferry of Lissan|Isolde Marr"


class Report(NamedTuple):
    """A page, and what is right."""

    source: str
    html: str | bytes
    found: str = WHOLE
    lost: str = ""
    title: str = ""
    date: str | None = None
    code: str = ""
    link: str = "On Lamps"


def _page(body: str, head: str = "<title>On Lamps</title>") -> str:
    return f"<!DOCTYPE html><html><head><meta charset=utf-8>{head}</head><body>{body}</body></html>"


def _ld(json: str) -> str:
    return f'<title>On Lamps</title><script type="application/ld+json">{json}</script>'


REPORTS = (
    # text that is lost
    Report(
        "adbar/trafilatura#43",
        _page(
            f'<div class="l-main-column"><div class="text-image"><div>{P[0]}</div></div><div><ul class="list"><li class="li">'
            f"First ropes</li><li>Then sails</li></ul></div><div>{''.join(P[1:])}</div></div>"
        ),
        found=f"{WHOLE}|First ropes|Then sails",
    ),
    Report(
        "adbar/trafilatura#890",
        _page(
            '<table class="maintable"><tr><td class="sidebar"><a href="/">Home</a> <a href="/archive">Archive</a></td><td class="content">'
            f"<h1>On Lamps</h1><p>If the knob turns at rate <i>r</i>, the wheel turns at <b>twice</b> that, and the lamp of <i>Ostrey</i> dims.{ALL}</td></tr></table>"
        ),
        found=f"{WHOLE}|at rate r, the wheel turns at twice that, and the lamp of Ostrey dims",
        lost="Archive",
    ),
    Report("adbar/trafilatura#233", _page(f"{P[0]}<ul><li>Six ropes were cut.</li><li>Two oars broke.</li></ul>{''.join(P[1:])}"), found=f"{WHOLE}|Six ropes|Two oars"),
    Report("adbar/trafilatura#431", _page(f"<article>{ALL}<ul><li><span class=c tabindex=0>You may know the depth of the channel.</span></li></ul></article>"), found=f"{WHOLE}|the depth of the channel"),
    Report("adbar/trafilatura#10", _page(f"<article>{ALL}<h3>Three rules of the quay</h3><ol><li>Tie the boat.<li>Douse the lamp.<li>Lock the hut.</ol></article>"), found=f"{WHOLE}|Three rules|1. Tie the boat.|3. Lock the hut."),
    Report("adbar/trafilatura#769", _page(f'<main>{ALL}<ul><li><a href="/a">Rope</a></li><li><a href="/b">Canvas</a></li><li>Tar, <a href="/c">used warm</a>.</li></ul><p>That is all there was in the shed that year.</p></main>'), found=f"{WHOLE}|Rope|Canvas|Tar, used warm."),
    Report("adbar/trafilatura#147", _page(f"<h1>On Lamps</h1><h2><a>The fox of Brill</a></h2><a>No link at all</a> {ALL}"), found=f"{WHOLE}|The fox of Brill|No link at all"),
    Report("adbar/trafilatura#304", _page(f'<div class="chunk">{P[0]}{P[1]}</div><div class="ad-slot">Buy oars</div><div class="chunk">{P[2]}</div><div class="chunk">{P[3]}{P[4]}</div>')),
    Report("mozilla/readability#704", _page("<div><div>Step one: light the lamp.</div><div>Step two: wind it.</div></div><div><div>Step nine: <a href=/x>note</a> the hour.</div><div>Step ten: sleep.</div></div>" + ALL), found=f"{WHOLE}|Step one|Step two|Step nine: note the hour|Step ten"),
    Report("mozilla/readability#669", _page(f'<div class="menu-bar-wrapper"><h1>On Lamps</h1>{ALL}<p>A <a href=/a>chart</a> and a <a href=/b>log</a> hang there.</p></div>'), found=f"{WHOLE}|A chart and a log hang there"),
    Report("mozilla/readability#565", _page(f'<div class="contentWithSidebar has-sidebar">{ALL}</div><div class="sidebar"><p>Buy my book about knots.</p></div>'), lost="my book"),
    Report("mozilla/readability#487", _page(f"<article>{P[0]}<aside><p>The unit of depth here is the fathom, which is six feet.</p></aside>{''.join(P[1:])}</article>"), found=f"{WHOLE}|the fathom, which is six feet"),
    Report("mozilla/readability#498", _page(f"<main>{P[0]}<blockquote>Eight in ten boats come home with two at the oars.</blockquote>{''.join(P[1:])}</main>"), found=f"{WHOLE}|Eight in ten boats"),
    Report("mozilla/readability#743", _page(f"<article>{P[0]}<figure><img src=a.png alt=flame><figcaption>The flame, drawn from memory.</figcaption></figure>{''.join(P[1:])}</article>"), found=f"{WHOLE}|The flame, drawn from memory."),
    Report("mozilla/readability#758", _page(f"<p><ruby><rb aria-hidden=true>灯台</rb><rp>(</rp><rt>とうだい</rt><rp>)</rp></ruby>の光は遠くまで届く。</p>{ALL}"), found=f"{WHOLE}|灯台の光は"),
    Report("mozilla/readability#766", _page(f'<div id=site aria-hidden="true"><main>{ALL}</main></div><div role=dialog aria-modal=true class="cookie-consent"><p>We use cookies to make the sea calmer for you and for our partners.</p></div>'), lost="our partners"),
    Report("mozilla/readability#704", _page(f"<div><section><h2>Old keepers</h2>{P[0]}{P[1]}</section><section><h2>New keepers</h2>{P[2]}{P[3]}{P[4]}</section></div>"), found=f"{WHOLE}|Old keepers|New keepers"),
    Report("mozilla/readability#808", _page(f'<article class="post"><div class="entry-content">{ALL}</div></article><div class="author-box"><h4>About</h4><p>A. Quill has written nine books about knots, of which six are in print, and lectures on them in Leith.</p></div>'), lost="nine books"),
    Report("feedbin/feedbin#724", _page(f"<main><article>{P[0]}<h2 id=a><a class=anchor href=#a aria-hidden=true>#</a>The second winter</h2>{''.join(P[1:])}</article></main>"), found=f"{WHOLE}|The second winter", lost="#"),
    Report("codelucas/newspaper#405", _page(f'<div class="story"><div class="lede"><p>It was the coldest night of the century in Lissan.</p></div><div class="body">{ALL}</div></div>'), found=f"{WHOLE}|the coldest night"),
    # what is not the essay
    Report("adbar/trafilatura#850", _page(f'<div>{ALL}</div><details class="CommentBox" open><summary>From: gull</summary><p>I do not believe a word of what this essay says.</p></details>'), lost="a word of what"),
    Report("AndyTheFactory/newspaper4k#229", _page(f'<main><article><h1>On Lamps</h1>{ALL}</article><article class="more"><h2><a href=/b>On Bells</a></h2><p>The bell of Wray is rung at nine.</p></article><article class=more><h2><a href=/c>On Oars</a></h2><p>Ash is best for oars.</p></article></main>'), lost="bell of Wray|Ash is best"),
    Report("ageitgey/node-unfluff#70", _page(f'<div id="content">{ALL}</div><div id="sidebar"><h3>Markets</h3><p>Herring fell by two pence a barrel in the morning, and rose by one in the afternoon.</p></div>'), lost="Herring fell"),
    Report("mozilla/readability#203", _page(f'<article><nav><ol><li><a href="#a">Winter</a></li><li><a href="#b">Spring</a></li></ol></nav>{ALL}</article>'), lost="Spring"),
    Report("mozilla/readability#283", _page(f'<p><span style="display:none">HIDDEN ERROR: no caption</span></p><div style="display: none"><p>Hidden words of a template that nobody sees.</p></div>{ALL}'), lost="HIDDEN|nobody sees"),
    Report("ken107/read-aloud#256", _page(f'<article>{ALL}<table class="highlighttable"><tr><td class="linenos"><div class="linenodiv"><pre>1\n2\n3</pre></div></td><td class="code"><pre>lamp = 1\n\nlight(lamp)</pre></td></tr></table></article>'), found=f"{WHOLE}|lamp = 1\n\nlight(lamp)", lost="1\n2"),
    Report("andreskrey/readability.php#53", _page(f'<main><article>{ALL}</article><aside><h3>Look at these</h3><a href=/a>Ten lamps you will love</a> <a href=/b>Best oars</a></aside></main>'), lost="Ten lamps|Best oars"),
    Report("HenryQW/mercury-parser-api#179", _page(f'<div class="post single">{ALL}</div><div class="related-posts"><div class="post"><h3><a href=/x>Bells</a></h3><p>Of all the bells of the coast, the one of Wray is the loudest by far.</p></div></div>'), lost="bells of the coast"),
    # words glued and formulas
    Report("adbar/trafilatura#4", _page(f"<h2>The keeper</h2><span>January 3, 2019</span><div>wrote</div><span>daily</span>{ALL}"), found=f"{WHOLE}|wrote", lost="keeperJanuary|2019wrote|wrotedaily", date="January 3, 2019"),
    Report("langchain-ai/langchain#5383", _page(f"<article>{ALL}<address>183 Quay Street<br>East Lissan<br>Shire</address></article>"), found="183 Quay Street East Lissan Shire"),
    Report("jhy/jsoup#2105", _page(f"<article>{ALL}<p>Press <kbd>A</kbd><button>Reply</button>then <kbd>B</kbd> to ring.</p></article>"), found="Press A then B to ring"),
    Report("opensanctions/poliloom#152", _page(f"<p>She was a <span><i><a href=/c>pilot</a></i></span>. Her boat was <b>un</b>sinkable.</p>{ALL}"), found="a pilot. Her boat was unsinkable."),
    Report("Unstructured-IO/unstructured#4478", _page(f'<p>The area is <span class="katex"><span class="katex-mathml"><math><semantics><mrow><mi>r</mi><mn>2</mn></mrow><annotation encoding="application/x-tex">\\pi r^2</annotation></semantics></math></span><span class="katex-html" aria-hidden="true">πr2</span></span> here.</p>{ALL}'), found="The area is \\pi r^2 here.", lost="πr2"),
    Report("jax-ml/scaling-book#55", _page(f"<p>The lamp needs 8<sup><a href=#fn4>4</a></sup> candles and 10<sup>6</sup> flies.</p>{ALL}"), found="8 [4] candles and 10^6 flies"),
    Report("fipguide/fipguide.github.io#1023", _page(f'<p>Two notes stand here.<sup id=r1><a href="#fn1">1</a></sup><sup id=r2><a href="#fn2">2</a></sup> So they do.</p>{ALL}'), found="stand here. [1] [2] So they do."),
    # titles
    Report("mozilla/readability#409", _page(f"<h1>A Message to All Ferries: Head Keeper</h1>{ALL}", "<title>A Message to All Ferries: Head Keeper Isolde</title>"), title="A Message to All Ferries: Head Keeper", link="Read more"),
    Report("mozilla/readability#954", _page(ALL, '<title>On Lamps — The Quay and Other Places</title><meta property="og:site_name" content="The Quay and Other Places">'), title="On Lamps", link="more »"),
    Report("mozilla/readability#553", _page(f"<header><h1><a href=/>The Quay</a></h1></header><main><h2>On Lamps</h2>{ALL}</main>", '<title>The Quay</title><meta property="og:title" content="The Quay">'), title="On Lamps"),
    Report("codelucas/newspaper#113", _page(f"<h1>On Lamps, and Other Lights</h1>{ALL}", '<title>On Lamps, and Other Lights | The Quay</title><meta property="og:title" content="On Lamps, and Other Lights">'), title="On Lamps, and Other Lights", link="here"),
    Report("adbar/trafilatura#502", _page(f'<div class=site><h1>THE QUAY</h1></div><div><h3 class="post-title">On Lamps</h3>{ALL}</div>', "<title>THE QUAY</title>"), title="On Lamps"),
    # dates
    Report("codelucas/newspaper#967", _page(f"{ALL}<p>Accepted 2022-12-16.</p>", '<title>On Lamps</title><meta name="dc.date" content="2023-01-02"/>'), date="2023-01-02"),
    Report("adbar/htmldate#119", _page(ALL, _ld('{"@type":"Article","headline":"On Lamps","datePublished":"2019-04-03T10:00:00Z","dateModified":"2023-11-30"}')), date="2019-04-03"),
    Report("adbar/htmldate#28", _page(f'{ALL}<script>var expires = "2031-01-31";</script>'), date=None),
    Report("ageitgey/node-unfluff#93", _page(f'<article><p class="byline">Monday August 27, 2018 by J. Quill</p>{ALL}</article><div id="comments"><time datetime="2018-08-29">2 days ago</time><p>A comment about the lamp, which I saw too.</p></div>'), date="August 27, 2018", lost="which I saw"),
    Report("codelucas/newspaper#478", _page(f'<article><time itemprop="dateModified" datetime="2019-11-27T19:20">27/11/2019</time><time class="data" datetime="2017-11-27">27 November 2017</time>{ALL}</article>'), date="27 November 2017"),
    # bytes and addresses
    Report("goose3/goose3#139", _page(ALL).replace("charset=utf-8", 'charset="-->UTF-8"')),
    Report("grangier/python-goose#233", '<html><head><meta charset=gb2312><title>灯</title></head><body><p>繁體字與朱镕基都在這一頁上，燈塔的光很亮。</p></body></html>'.encode("gbk"), found="朱镕基都在這一頁上", link="灯"),
    Report("cantino/guess_html_encoding#6", "<html><head><meta charset=Shift_JIS><title>灯</title></head><body><p>重さは五㎏で、㈱灯台社のものです。とても古い。</p></body></html>".encode("cp932"), found="五㎏で、㈱灯台社", link="灯"),
    # no essays
    Report("website-scraper/node-website-scraper#428", _page("", '<title>T</title><meta http-equiv="refresh" content="0,url=./de">'), code="empty_document"),
    Report("spider: a wall before the text", _page('<h1>Just a moment...</h1><p>Checking your browser before you go on to the quay. Please enable JavaScript and cookies to continue.</p><div id="cf-wrapper">Ray ID: 7f</div>', "<title>Just a moment...</title>"), code="empty_document_wall"),
    # the same kinds again
    Report("adbar/trafilatura#889", _page(f"<article><p>The deepest layer has 100<sup>2</sup>=10000 nodes, and CO<sub>2</sub> in the air of x<sub>i</sub>.</p>{ALL}</article>"), found="100^2=10000 nodes, and CO2 in the air of x_i."),
    Report("tc39/ecmarkup#516", _page(f"<p>If n ≥ 10<sup>21</sup>, then n / 10<sup>f</sup> − 1 is shown on the 19<sup>th</sup> day.</p>{ALL}"), found="n ≥ 10^21, then n / 10^f − 1 is shown on the 19th day"),
    Report("whatwg/html#7685", _page(f"<p>The harbour holds 10<sup>6</sup> herrings and weighs 3 × 10<sup>−4</sup> of the sea, at 9 m<sup>2</sup> each.</p>{ALL}"), found="10^6 herrings and weighs 3 × 10^−4 of the sea, at 9 m^2 each"),
    Report("mdn/content#5012", _page(f'<p>The first<sup>a</sup> keeper left in 1902.<sup class="footnote">12</sup> The second stayed.</p>{ALL}'), found="The first [a] keeper left in 1902. [12] The second stayed."),
    Report("wallabag/wallabag#2704", _page("<h1>Oops! That page can’t be found.</h1><p>It looks like nothing was found at this location.</p>", "<title>Page not found – The Quay</title>"), code="empty_document_error"),
    Report("extractus/article-extractor#138", _page('<p>Please show that you are not a robot.</p><div class="g-recaptcha"></div>', "<title>The Quay</title>"), code="empty_document_wall"),
    Report("ckreibich/scholar.py#66", _page("<h1>Unusual traffic</h1><p>Our systems have detected unusual traffic from your network. Show that you are not a robot.</p>", "<title>Sorry</title>"), code="empty_document_wall"),
    Report("wallabag/wallabag#6757", _page("<h1>On Lamps</h1><p>Sign in to continue reading. Already a subscriber? Log in below.</p><form><input name=mail><button>Go</button></form>", "<title>Sign in · The Quay</title>"), code="empty_document_wall"),
    Report("firecrawl: a frame without a text", _page('<div id="root">Loading…</div><script src="/app.js"></script>', "<title>The Quay</title>"), code="empty_document_shell"),
    Report("Norconex/crawler#141", "<HTML><HEAD><META HTTP-EQUIV=REFRESH CONTENT=0;URL=/new/></HEAD><BODY>You are being redirected to the new place.</BODY></HTML>", code="empty_document"),
    Report("mozilla/readability#331", _page(f'<form id="aspnetForm" method=post><input type=hidden name=v><div class="main-area">{ALL}</div><p>Search: <input name=q> <button>Go</button></p></form>'), lost="Search"),
    Report("mozilla/readability#595", _page(f'<div class="header"><h1>The Quay</h1><p>News of the quay and of its lamps, by those who keep them lit.</p></div><div class="post"><h2 class="title"><a href="/on-lamps.html">On Lamps</a></h2><div class="post-body">{"<br><br>".join(p[3:-4] for p in P)}</div></div>', "<title>The Quay: On Lamps</title>"), lost="News of the quay", title="On Lamps"),
    Report("AndyTheFactory/newspaper4k#12", _page(f'<div id="leftMenu"><p>Top most read: herring, oars, bells.</p></div><div id="story">{ALL}</div><div class="most-popular-list"><a href=/a>Ten lamps</a></div><div class="newsletter-signup"><p>Get our letters about the sea in your box every Friday, free of charge.</p></div>'), lost="free of charge|Ten lamps"),
    Report("AndyTheFactory/newspaper4k#209", _page(f'<meta property="article:published_time" content="2018-05-12T08:00:00+02:00">{ALL}', '<title>On Lamps</title><meta property="article:published_time" content="2018-05-12T08:00:00+02:00">'), date="2018-05-12"),
    Report("adbar/trafilatura#531", _page(f"<main>{ALL}<table><tr><th>Day</th><th>Open</th></tr><tr><td>Mon</td><td>10 to 8</td></tr><tr><td>Tue</td><td>closed</td></tr></table></main>"), found=f"{WHOLE}|Mon"),
    Report("alan-turing-institute/ReadabiliPy#21", _page(f'<article>{ALL}<section class="footnotes" role="doc-endnotes"><ol><li id="fn1"><p>It was whale oil. <a href="#fnref1" role="doc-backlink">↩︎</a></p></li></ol></section></article>'), found=f"{WHOLE}|[1] It was whale oil.", lost="↩"),
    Report("fb55/htmlparser2#67", f'<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="a.js"/></head><body><a name="top"/><p><![CDATA[a < b & c]]> on the quay.</p>{ALL}</body></html>', found=f"{WHOLE}|a < b & c on the quay."),
    Report("feedbin/feedbin#261", _page(f'<article>{P[0]}<div class="related-links hover-box"><span>See also</span> <a href=/x>Bells of Wray</a> <a href=/y>Oars</a></div>{"".join(P[1:])}<ul class="share-buttons"><li><a href="#">Tweet</a></li></ul></article>'), lost="Bells of Wray|Tweet"),
    # what stands in elements of its own
    Report("jimniels/readlists#18", _page(f"<article>{ALL}<pre><code><div class=ec-line><div class=code>light(<b>1902</b>)</div></div><div class=ec-line><div class=code>  ring()</div></div><p>end</p></code></pre></article>"), found=f"{WHOLE}|light(1902)\n  ring()\nend"),
    Report("mozilla/readability#561", _page(f'<p>The light is <span class="mwe-math-element"><span style="display: none;"><math><semantics><mi>Q</mi><annotation encoding="application/x-tex">{{\\displaystyle Q}}</annotation></semantics></math></span><img class="mwe-math-fallback-image-inline" aria-hidden="true" alt="{{\\displaystyle Q=mc}}"></span> here.</p>{ALL}'), found="The light is Q=mc here.", lost="displaystyle"),
    Report("adbar/trafilatura#792", _page(f'<p>The light is <span class="MathJax_Preview">Qm</span><span class="MathJax" id="f"><nobr>Qm</nobr></span><script type="math/tex">Q_m</script> here, or <img class="latex" alt="x &lt; 2" src="a.png"> there.</p>{ALL}'), found="The light is Q_m here, or x < 2 there.", lost="Qm"),
    Report("a first letter that is a picture", _page(f'<p><img src="t.gif" alt="T">he lamp rang. <img src="g.gif" alt="A"> Gull flew by <img alt="Portrait" src="mathilda.jpg">.</p>{ALL}'), found="The lamp rang. Gull flew by", lost="Portrait"),
    Report("panels that a click shows", _page(f'<article>{ALL}<div role="tabpanel" hidden>Row with two oars.</div><div hidden>Nobody reads this.</div><p aria-hidden="true">Nor this.</p></article>'), found=f"{WHOLE}|Row with two oars.", lost="Nobody reads|Nor this"),
    Report("notes beside their numbers", _page(f'<article>{ALL}<p>It burned.<a class="footnote-anchor" href="#n1">1</a></p><div class="footnote"><a id="n1" href="#a1" class="footnote-number">1</a><div class="footnote-content"><p>Whale oil.</p></div></div></article>'), found="It burned. [1]|[1] Whale oil."),
    Report("notes in the margin", _page(f'<article>{ALL}<p>It burned.<label for=s></label><span class="sidenote">Whale oil.</span> And so on.</p></article>'), found="It burned. Whale oil. And so on."),
    Report("a link as long as a paragraph", _page(f'<article><h1>On Lamps</h1><p><a href=/next>Another essay</a></p><p><a href=/a>{P[0][3:-4]}</a></p>{"".join(P[1:])}</article>'), lost="Another essay"),
    Report("a wall below the first words", _page(f'<article>{ALL}<div class="paywall"><h2>This post is for some</h2><p>Do you pay? <a href=/s>Sign in</a></p></div><address class="footer">Made by a program</address></article>'), lost="Do you pay|Made by"),
    Report("those who liked it", _page(f'<article><h1>On Lamps</h1>{ALL}<ol class="notes"><li class="note like"><a href="/e">eelkeeper</a> liked this</li><li class="note reblog"><a href="/p">pine</a> reblogged this</li></ol></article>'), lost="liked|reblogged"),
    Report("a line about a post, after it", _page(f'<div class="post"><h1>On Lamps</h1>{ALL}<p>This entry was posted in <a href=/c>Sea</a> and tagged <a href=/t>oil</a>. Bookmark the <a href=/p>permalink</a>.</p></div>'), lost="Bookmark"),
    Report("a date in German", _page(f'<article><h1>On Lamps</h1><p class="meta">Veröffentlicht am 4. November 2021 von Ann Gull</p>{ALL}</article>'), date="4. November 2021", lost="Veröffentlicht"),
    Report("minutes before a date", _page(f"<article><h1>On Lamps</h1><p>4 min read · Nov 4, 2021</p>{ALL}</article>"), date="Nov 4, 2021", lost="min read"),
)

# Written before the readers were run on any of them: of twenty, seventeen were right at once.
UNSEEN = (
    Report("grobidOrg: a date in a byline without a class", _page(f"<h1>On Lamps</h1><p>By Ann Gull — 14 May 2017</p>{ALL}"), date="14 May 2017", lost="By Ann Gull"),
    Report("miniflux: a post between its neighbours", _page(f'<article><h1>On Lamps</h1>{ALL}<div class="post-nav"><a href=/a>← On Bells</a> <a href=/c>On Oars →</a></div><div class="tags">Tags: <a href=/tag/sea>sea</a>, <a href=/tag/oil>oil</a></div></article>'), lost="On Bells|Tags"),
    Report("goose3: words of the site in each title", _page(f"<h1 class=site-name><a href=/>The Quay</a></h1><h1 class=title>On Lamps</h1>{ALL}", "<title>The Quay - On Lamps</title>"), title="On Lamps", link="Read on"),
    Report("html2text: a definition list", _page(f"<main>{ALL}<dl><dt>Fathom</dt><dd>Six feet of rope.</dd></dl></main>"), found=f"{WHOLE}|Fathom|Six feet of rope."),
    Report("readability: a text in sections with headings", _page("<div id=app><div class=wrap>" + "".join(f"<section><h2>Part {n}</h2>{p}</section>" for n, p in enumerate(P)) + "</div></div>"), found=f"{WHOLE}|Part 0|Part 4"),
    Report("trafilatura: an error of the server", _page("<h1>Service Unavailable</h1><p>The server is temporarily unable to service your request. Please try again later.</p>", "<title>503 Service Unavailable</title>"), code="empty_document_error"),
    Report("newspaper: EUC-KR with letters of its extension", '<html><head><meta charset="ks_c_5601-1987"><title>등대</title></head><body><p>뷁이라는 등대지기가 매일 밤 불을 켰다고 한다. 그 빛은 멀리까지 보였다.</p></body></html>'.encode("cp949"), found="뷁이라는 등대지기", link="등대"),
    Report("jusText: a page of an archive", _page("".join(f'<article><h2><a href="/p{n}">Essay {n}</a></h2><p>The first words of essay {n} about the sea …</p><a href="/p{n}">Read more</a></article>' for n in range(6)), "<title>Category: Sea – The Quay</title>"), code="empty_document_list"),
    Report("dragnet: comments that are longer than the essay", _page(f'<div class="entry">{P[0]}{P[1]}</div><ol class="commentlist">' + "".join(f"<li class=comment><p>Reader {n} writes that the lamp which is meant here was never lit by anybody at all, in any of those winters.</p></li>" for n in range(9)) + "</ol>"), found="Obadiah Pym|Marrowby agree", lost="Reader 3"),
    Report("boilerpipe: a power after a unit and a note after a year", _page(f"<p>In 1987<sup>3</sup> the field had 40 km<sup>2</sup> and E = mc<sup>2</sup> was known.<sup>4</sup> Then came H<sub>2</sub>SO<sub>4</sub>.</p>{ALL}"), found="In 1987 [3] the field had 40 km^2 and E = mc^2 was known. [4] Then came H2SO4."),
    Report("a blog of Blogger", _page('<div class="navbar section" id="navbar">Create Blog</div><div id="main-wrapper"><div class="main section"><div class="widget Blog"><div class="blog-posts hfeed"><h2 class="date-header"><span>Sunday, March 3, 2019</span></h2><div class="post hentry"><h3 class="post-title entry-title">On Lamps</h3><div class="post-body entry-content">' + "<br /><br />".join(p[3:-4] for p in P) + '<div style="clear: both;"></div></div><div class="post-footer"><div class="post-footer-line"><span class="post-author vcard">Posted by <span class="fn">Ann Gull</span></span> at <a class="timestamp-link" href="#"><abbr class="published" title="2019-03-03T10:00:00">10:00</abbr></a></div></div></div></div><div id="comments"><h4>2 comments:</h4><p>I rowed there once and saw no lamp at all.</p></div><div class="blog-pager"><a class="blog-pager-older-link" href="/o">Older Post</a></div></div></div></div>', "<title>The Quay: On Lamps</title>"), lost="Create Blog|Ann Gull|no lamp at all|Older", title="On Lamps", date="March 3, 2019"),
    Report("a layout of tables without fonts", _page(f'<table width=100%><tr><td width=150 valign=top><a href="/">Home</a><br><a href="/news">News</a><br><a href="/links">Links</a></td><td valign=top><h2>On Lamps</h2>{ALL}</td></tr></table>'), lost="News|Links", title="On Lamps"),
    Report("a platform with buttons in its head", _page(f'<div id="root"><article><div><section><h1 class="pw-post-title">On Lamps</h1><div><div><a href="/@ann">Ann Gull</a></div><div><button>Follow</button></div><div><span>5 min read</span></div><div><span>Mar 3, 2019</span></div></div><figure><img src=a><figcaption>The lamp in 1902.</figcaption></figure>{ALL}</section></div></article></div><script>x()</script>'), found=f"{WHOLE}|The lamp in 1902.", lost="Follow|min read", date="Mar 3, 2019"),
    Report("an encyclopedia", _page(f'<main id="content" class="mw-body"><h1 id="firstHeading"><span>On Lamps</span></h1><div class="mw-parser-output"><p>The lamp<sup id="cite_ref-1" class="reference"><a href="#cite_note-1"><span class="cite-bracket">&#91;</span>1<span class="cite-bracket">&#93;</span></a></sup> burned whale oil.</p>{ALL}<div class="mw-heading mw-heading2"><h2 id="See">Other lamps</h2><span class="mw-editsection"><span>[</span><a href="/edit">edit</a><span>]</span></span></div><p>There were six of them along that coast.</p><ol class="references"><li id="cite_note-1"><span class="mw-cite-backlink"><b><a href="#cite_ref-1">^</a></b></span> <span class="reference-text">Ledger of 1902.</span></li></ol></div></main>'), found=f"{WHOLE}|The lamp [1] burned|Other lamps|six of them|[1] Ledger of 1902.", lost="edit"),
    Report("a page that a script would go on with", _page(f'<div id="___gatsby"><div id="gatsby-focus-wrapper"><main><article><h1>On Lamps</h1>{ALL}</article></main></div></div><script src=a.js></script>')),
    Report("UTF-8 that says that it is Latin", _page(f"<p>Café “Lamp” — 5 €.</p>{ALL}").replace("charset=utf-8", "charset=iso-8859-1").encode(), found="Café “Lamp” — 5 €."),
    Report("a date in microdata", _page(f'<div itemscope itemtype="http://schema.org/BlogPosting"><h1 itemprop="headline">On Lamps</h1><span itemprop="datePublished" content="2019-03-02">two years ago</span><div itemprop="articleBody">{ALL}</div></div>'), date="2019-03-02"),
    Report("lines without an element", "On lamps.<br><br>" + "<br><br>".join(p[3:-4] for p in P), link="On Lamps"),
    Report("a login with a menu", _page('<nav><a href=/>Home</a></nav><form><p>User <input name=u></p><p>Password <input type=password></p><button>Log in</button></form>', "<title>Log in</title>"), code="empty_document"),
    Report("a text with a list of links in its middle", _page(f'<article><h1>On Lamps</h1>{P[0]}<p>These tell more:</p><ul><li><a href=/a>The ledger</a></li><li><a href=/b>The chart</a></li></ul>{"".join(P[1:])}</article>'), found=f"{WHOLE}|The ledger|The chart"),
)
