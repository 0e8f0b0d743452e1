"""A quotation begins and ends where words do, in whatever marks it stands; true ones are found in any writing.

In a line, what is quoted stands in ⟦…⟧, or after an arrow if it is written in another way; ⏎ is the end of a line.
"""

from __future__ import annotations

import re
from itertools import product

import pytest

from contextual_rag.qa.citations import read
from tests.small_world import passage

REFUSED = {
    "denials in other languages, and few": """
        Er ⟦traute dem neuen Motor⟧ nicht.
        Hij ⟦vertrouwde de motor⟧ niet.
        ⟦Han såg lampan⟧ inte igår.
        ⟦Han så lampen⟧ ikke i går.
        Le ⟦capitaine ne croyait⟧ pas au moteur.
        ⟦Motor hiç iyi⟧ değildi.
        ⟦선장은 새 엔진을 믿지⟧ 않았다.
        ⟦कप्तान को इंजन पर भरोसा⟧ नहीं था।
        Kapteeni ei ⟦luottanut siihen⟧.
        A kapitány nem ⟦bízott benne⟧.
        Kapten tidak ⟦percaya mesin⟧.
        Thuyền trưởng không ⟦tin nó⟧.
        בנמל אין ⟦דגים היום⟧.
        القبطان ليس ⟦غنيا جدا⟧.
        Loď není ⟦bezpečná vůbec⟧.
        Капітан не ⟦довіряв йому⟧.
        She has no “⟦enemies here⟧”.
        It was not “⟦lit by hand⟧”.
        He “did not” ⟦light the lamp⟧.
        Nobody said “⟦the lamp was lit⟧”.
        Few ⟦keepers could read⟧.
        The sea is old. Little ⟦was known of it⟧.
    """,
    "parts of numbers": """
        There were 1\u00a0⟦200 boats here⟧.
        There were 1\u202f⟦200 boats here⟧.
        There were 12 ⟦200 boats here⟧.
        ⟦There were 12⟧ 200 boats here.
        They counted 1 ⟦234 567 birds⟧.
        It is 12'⟦345 boats⟧.
        It is 12,⟦345.67 boats⟧.
        It is 1.⟦234.567 boats⟧.
        It weighs 3,⟦75 kilos here⟧.
        There are 10^⟦6 boats here⟧.
        ⟦There are 10⟧^6 boats here.
        It is 5 × ⟦10⁶ boats⟧.
        ⟦It is 5⟧ × 10⁶ boats.
        There are 6.02×⟦10²³ atoms there⟧.
        It fell 3.14e-⟦10 of it⟧.
        It is 1/⟦2 mile off⟧.
        It is 1 ⟦1/2 miles off⟧.
        It is 1⟦½ miles off⟧.
        ⟦He waited 2⟧½ hours there.
        It is 3⁄⟦4 of it⟧.
        It is 3∶⟦5 of it⟧.
        It is 3:⟦1 here now⟧.
        On 00⟦7 days it rang⟧.
        ⟦It holds 5⟧² rooms now.
        ⟦On the 21⟧st day it rang.
        It is v2.⟦0 here⟧.
        عمقه ٣٫⟦٥ متر هنا⟧
        深５．⟦５ m 在⟧
        ⟦It runs Python 3⟧.11 now.
        They are 10₂ boats. → They are 102 boats
        It is x² + 1 here. → It is x + 1 here
    """,
    "numbers without their sign, unit or scale": """
        It is <⟦5 metres deep⟧.
        It is ≥⟦5 metres deep⟧.
        It is ~⟦5 metres deep⟧.
        It is ±⟦5 metres deep⟧.
        It is 3×⟦5 metres⟧.
        p<⟦0.05 was found⟧
        p < ⟦0.05 was found⟧
        It is −⟦5 °C outside⟧.
        ⟦It is 5⟧°C outside.
        ⟦It fell by 50⟧% at once.
        ⟦It fell by 50⟧‰ at once.
        It cost 5,⟦5 % then⟧.
        It cost -⟦$5 then⟧.
        It cost US⟦$5 then⟧.
        It is ¥⟦500 then⟧.
        ⟦It is 500⟧¥ then.
        ⟦It cost 40⟧ € then.
        ⟦It is €1.2⟧bn then.
        ⟦It cost $5⟧ million then.
        It cost $5 ⟦million then⟧.
        ⟦It is 5 km⟧² wide.
        ⟦It runs at 5 km⟧/h now.
        CO2 rose. → CO rose
    """,
    "figures that look like marks of notes": """
        It is x + 1 here. → It is x² + 1 here
        There are 10² boats. → There are 10 boats
        There are 10 boats. → There are 10<sup>2</sup> boats
        There are 102 boats. → There are 10<sup>2</sup> boats
        The CO₂ rose. → The CO rose
        The CO rose. → The CO<sub>2</sub> rose
        The CO₂² rose. → The CO₂ rose
        It is 5 miles² wide. → It is 5 miles wide
        It is 5 miles wide. → It is 5 miles² wide
        Es ist 5 Quadrat und 3 Meter² breit. → 3 Meter breit
        It is 9 metres per second² here. → metres per second here
        It falls 9 m/sec² there. → It falls 9 m/sec there
        Energy is mc² at rest. → Energy is mc at rest
        Energy is mass × speed² now. → Energy is mass × speed now
        Here speed = height² holds. → Here speed = height holds
        Here speed² + height holds. → Here speed + height holds
        Area is height² / 2 here. → Area is height / 2 here
        It is (a + b)² here. → It is (a + b) here
        It is (a + b) here. → It is (a + b)² here
        The sin² of it. → The sin of it
        Its sigma² was high. → Its sigma was high
        The χ² was high. → The χ was high
        The Fe³⁺ ion is red. → The Fe ion is red
        It has U²³⁵ within. → It has U within
        The f(2) is large. → The f is large
        The f is large. → The f(2) is large
        Call exit(1) at once. → Call exit at once
        See section(2) of it. → See section of it
        See article 5(2) of it. → See article 5 of it
        There are (2) boats here. → There are boats here
        He read argv[1] and argv[2] here. → He read argv and argv here
        Read C* algebras there. → Read C algebras there
        The A† of it is new. → The A of it is new
    """,
    "parts of dates, times and ranges": """
        At 19:⟦30 it rang⟧.
        ⟦At 9⟧pm it rang.
        On 2020-01-⟦02 it rang⟧.
        On 12/⟦05/2020 it rang⟧.
        In 1939/⟦40 it was⟧ dark.
        Then 10–⟦20 boats came⟧.
        ⟦in 50⟧–60 boats
        from 50 – ⟦60 boats⟧
        a 5-⟦year plan⟧
    """,
    "parts of code and addresses": """
        Write to ann@⟦rock.example now⟧.
        See https://rock.example/⟦lamp now⟧.
        see www.rock.example/a?b=⟦c today⟧
        see http://rock.example:⟦8080 today⟧
        Open /etc/⟦passwd now⟧.
        It is in src/⟦lamp.py today⟧.
        open C:\\lamp\\⟦new.txt now⟧
        open ~/lamp/⟦x.txt now⟧
        open ./⟦lamp now⟧
        Here x !⟦= 5 holds⟧.
        Here x != ⟦5 holds⟧.
        Here x ≠ 5 holds. → x = 5 holds
        if x =⟦= 5 stop⟧
        if x>=⟦5 stop here⟧
        Stop if a <⟦= b holds⟧.
        x∈⟦A holds⟧
        use a->⟦b there now⟧
        use std::⟦vector there⟧
        use foo.⟦bar() there⟧
        ⟦it may use has⟧('win32') there
        use --no-⟦color now⟧
        use $⟦HOME there⟧
        ⟦use C⟧# there now
        use node.⟦js there⟧
        He wrote #⟦nevermind today⟧.
        tag #non-⟦stop today⟧
        Please ask @⟦keeper today⟧.
        ask @the_⟦keeper today⟧
    """,
    "parts of words": """
        ⟦He may sing and⟧/or row.
        he/⟦she rows well⟧
        AT&⟦T rang twice⟧.
        ⟦The keeper⟧'s dog bit the cat.
        ⟦He can⟧'t light it alone.
        ⟦He won⟧'t row now
        ⟦I could⟧n’t care less
        O'⟦Brien rowed home⟧
        J.⟦R. Stone wrote it⟧.
        A light-⟦hearted keeper came⟧.
        a non‐⟦smoker came here⟧
        It’s I’ll-⟦fated now⟧
        He (un)⟦willingly rowed home⟧
        He rowed (un)⟦able now⟧
        dis[⟦abled] men came⟧
        He was un-⏎⟦able to row⟧.
        He was un\u200b⟦able to write⟧.
        He was in\u00ad⟦capable of it⟧.
        He was in\u200d⟦capable of it⟧.
        He was in\ufeff⟦capable of it⟧.
        ⟦You haven⟧\ufffdt rowed.
        등⟦대는 오래되었다⟧.
        वह अ⟦समर्थ था कल⟧।
        Он не⟦счастлив был там⟧.
        ש⟦לום עולם⟧ טוב
        ال⟦مصباح على⟧
        Il n'⟦est pas venu⟧.
    """,
    "other words": """
        Il a pe\u0301che\u0301 hier. → Il a peche hier
        naïve man came → naive man came
        The lamp on the pier → The l\u0430mp on the pier
        Is the lamp lit? By hand it was. → the lamp lit. By hand
        She said “the lamp is out” to him. → She said “the lamp is on” to him
        The lamp on the pier. → The Essay says so
        He was not able to write. → He was ~~not~~ able to write
        He was not able to write. → He was <del>not</del> able to write
        He was not able to write. → He was \u202enot\u202c able to write
        He was able to write. → He was [not] able to write
        He was able to write. → He was [un]able to write
        He was able to write. → He was [The hardly] able to write
        He did not.⏎⏎Light the lamp now. → He did not light the lamp now
    """,
    "what is denied just before": """
        He was not ⟦able to write⟧.
        He was never ⟦able to row⟧.
        He isn't ⟦able to row⟧.
        He cannot ⟦row at all⟧.
        ⟦He can⟧ not row at all.
        He can neither ⟦row nor swim⟧.
        No ⟦keeper can row⟧.
        Nobody ⟦can row here⟧.
        他没⟦有点灯⟧。
        他不⟦喜欢它⟧。
        เขาไม่⟦ได้จุดไฟ⟧
        彼は⟦火をつけ⟧ない。
        ⟦彼は来⟧なかった。
        그는 안 ⟦켰다 어제⟧.
        Он не ⟦смог прийти⟧.
        No ⟦puede venir hoy⟧.
    """,
    "what a denial a little before is about": """
        The keeper did not want to ⟦light the lamp⟧.
        The keeper did not want ⟦to light the lamp⟧.
        The keeper had no wish to ⟦light the lamp⟧.
        There was no need to ⟦light the lamp⟧.
        He wasn’t going to be asked to ⟦light the lamp⟧.
        The keeper never once tried to ⟦light the lamp⟧.
        The keeper failed to ⟦light the lamp⟧.
        The keeper refused ⟦to light the lamp⟧.
        He went to bed without ever ⟦lighting the lamp⟧.
        He went to bed without ⟦lighting the lamp⟧.
        He was not really ⟦able to write⟧.
        He was not a ⟦good keeper at all⟧.
        He is no longer ⟦paid for it⟧.
        She was not at all ⟦happy about it⟧.
        It has never been ⟦lit by hand⟧.
        No one ⟦lit the lamp⟧ that night.
        Nobody here ⟦lit the lamp⟧.
        No keeper on duty ⟦lit the lamp⟧.
        None of ⟦the keepers lit it⟧.
        None of the keepers ⟦lit the lamp⟧.
        Nobody said that ⟦the lamp was lit⟧.
        Nobody ever said ⟦that the lamp was lit⟧.
        I don’t think ⟦the lamp was lit⟧.
        I do not believe that ⟦the lamp was lit⟧.
        It is not true that ⟦the lamp was lit⟧.
        It is false that ⟦the lamp was lit⟧.
        It is a myth that ⟦the lamp was lit⟧.
        He denied that ⟦the lamp was lit⟧.
        There is no evidence ⟦that the lamp was lit⟧.
        It is impossible to ⟦light the lamp⟧.
        He had no intention of ⟦lighting the lamp⟧.
        He would rather sleep than ⟦light the lamp⟧.
        He has yet to ⟦light the lamp⟧.
        He neither wanted nor tried to ⟦light the lamp⟧.
        At no point did he ⟦light the lamp⟧.
        No proof was found that ⟦the lamp was lit⟧.
        He lacked the strength to ⟦light the lamp⟧.
        He pretended to ⟦light the lamp⟧.
        Without, of course, ⟦lighting the lamp⟧ he slept.
        He did not want, he said, to ⟦light the lamp⟧.
        He was far from ⟦able to write⟧.
        He was anything but ⟦able to write⟧.
        He was by no means ⟦able to write⟧.
        He slept instead of ⟦lighting the lamp⟧.
        He slept rather than ⟦light the lamp⟧.
        He was too tired to ⟦light the lamp⟧.
        He avoided ⟦lighting the lamp⟧.
        He stopped ⟦lighting the lamp⟧.
        The storm kept him from ⟦lighting the lamp⟧.
        The storm prevented them ⟦from lighting the lamp⟧.
        It was forbidden to ⟦light the lamp⟧.
        Hardly anyone ⟦lit the lamp⟧.
        Not everyone ⟦lit the lamp⟧.
    """,
    "what is left out": """
        The keeper did not want to light the lamp. → The keeper … light the lamp
        The keeper seldom lit the lamp. → The keeper … lit the lamp
        The keeper failed to light the lamp. → The keeper … light the lamp
        The keeper refused to light the lamp. → The keeper … light the lamp
        The keeper forgot to light the lamp. → The keeper … light the lamp
        The keeper would hardly ever sleep at night. → The keeper would … sleep at night
        He would by no means row home. → He would … row home
        The keeper can not light the lamp. → The keeper can … light the lamp
        They say nobody can light the lamp. → They say … can light the lamp
        Der Wärter hat nicht die Lampe angezündet. → Der Wärter hat … die Lampe angezündet
        Le gardien ne peut pas allumer la lampe. → Le gardien … allumer la lampe
        The bell rang first and the lamp burned after. → the lamp burned … the bell rang
        The lamp burned. The bell rang. → The bell rang … The lamp burned
    """,
}
FOUND = {
    "numbers": """
        The CO₂ in the air rose. → The CO2 in the air rose
        The CO2 in the air rose. → The CO₂ in the air rose
        It is ½ a mile off. → It is 1/2 a mile off
        It is 3⁄4 of it. → It is 3/4 of it
        He waited 2½ hours there. → He waited 2 1/2 hours
        There were 1\u00a0200 boats here. → There were 1 200 boats
        There were 1 200 boats here. → There were 1\u202f200 boats
        There were ⟦1,200 boats here⟧.
        ⟦It fell by 50%⟧.
        It is 50 % of it → 50% of it
        ⟦It cost €40⟧ then.
        It is 40 € now → 40€ now
        ⟦It cost $5 million⟧ then.
        It cost $5 million then. → It cost \\$5 million
        In 1939–45 it was dark. → In 1939-45 it was dark
        at 10–20 boats → 10 – 20 boats
        a 3 × 5 card → a 3×5 card
        It is 5 * 3 boats. → It is 5 \\* 3 boats
        The population is 10⁶ boats. → is 10^6 boats
        It runs at 5\u00a0km/h now. → It runs at 5 km/h
        At 5 ℃ it froze. → At 5 °C it froze
        Chapter Ⅳ begins here. → Chapter IV begins here
        He is 5′10″ tall now. → He is 5'10" tall
        He owns a 6" nail here → a 6″ nail
        ⟦It rang at 9 p.m.⟧ sharp.
        On the 21st day it rang. → On the 21<sup>st</sup> day
        He rowed in the ’90s here → in the '90s
    """,
    "where a note may stand": """
        In 1950[2] he rowed. → In 1950 he rowed
        The 1950s[2] were wet. → The 1950s were wet
        He rowed “home”² at nine. → rowed “home” at nine
        He rowed (very late)² at nine. → rowed (very late) at nine
        It fell by 95%² then. → It fell by 95% then
        He rowed home.(2) Then he slept. → He rowed home. Then he slept
        A well-lit² lamp rang. → A well-lit lamp rang
        The keeper’s² lamp rang. → The keeper's lamp rang
        The keeper's[2] lamp rang. → The keeper's lamp rang
        The U.S.[2] lamp rang. → The U.S. lamp rang
        Der Wärter² zündete sie an. → Der Wärter zündete
        灯塔² 很旧的。 → 灯塔很旧的
        He did it² by hand. → He did it by hand
        It is 5 miles[2] off. → It is 5 miles off
        The lamp[1][2] and the bell[1] rang. → The lamp and the bell rang
        x² + 1 is here. → x^2 + 1 is here
        x² + 1 is here. → x<sup>2</sup> + 1 is here
        The CO₂ rose. → The CO<sub>2</sub> rose
        The *vitamin A* is new. → The vitamin A is new
    """,
    "code and addresses": """
        Call open_file now. → Call open\\_file now
        Read argv[1] at the start. → Read `argv[1]` at the start
        It is in src/lamp.py today. → It is in `src/lamp.py`
        use `foo.bar()` there → use foo.bar() there
        Write to <ann@rock.example> now. → Write to ann@rock.example
        ⟦Write to ann@rock.example⟧.
        See the site ⟦https://rock.example/a, he said⟧.
        He wrote ⟦#nevermind today⟧.
        ⟦x = 5 holds⟧ here
        If 5 < 6 here, stop. → 5 &lt; 6 here
        Both ⟦C++ and C#⟧ are old.
        ⟦a | b | c⟧ here
    """,
    "words beside other signs": """
        He ⟦rowed home⟧😀 that day
        He ⟦rowed home⟧™ that day
        He said: “⟦Row home!⟧” and left.
        (⟦He rowed home.⟧)
        The lamp (⟦old and dim⟧) burned.
        He rowed—⟦home at last⟧—and slept.
        He came; ⟦he saw⟧; he left.
        ¿⟦Qué hora es⟧?
        It is <b> ⟦here now⟧
        *⟦He rowed⟧* home then
        He *really* rowed → He really rowed
        either ⟦and/or both⟧
        ⟦J. R. Stone wrote⟧ it.
        lamps, ⟦boats, etc. came⟧
        Smith & Sons rang. → Smith &amp; Sons rang
        He rowed home.[1] Then he slept. → He rowed home. Then he slept
        He rowed home[1] and slept. → rowed home and slept
        He ⟦rowed home⟧.¹ Then he slept.
        \ufeff⟦The lamp stands⟧.
    """,
    "other shapes": """
        A light\u2011hearted keeper came. → A light-hearted keeper
        The keepers’ dogs bit him. → The keepers' dogs bit
        The keeper's dog bit. → The keeper&#39;s dog bit
        "Ring it," she said. "Now." → ‘Ring it,’ she said. ‘Now.’
        the “bell” rang twice → the "bell" rang twice
        She said “the lamp is out” to him. → She said 'the lamp is out' to him
        He rang it--twice--at nine. → He rang it—twice—at nine
        He rang it – twice – at nine. → He rang it—twice—at nine
        He rowed . . . and slept. → rowed… and slept
        The oﬃce ﬁre burned. → The office fire
        The lighthouse keeper slept. → The light\u00adhouse keeper
        The light\u200bhouse stands. → The lighthouse stands
        The lighthouse keeper slept. → The\u2060 lighthouse keeper
        The lamp on the pier → THE LAMP ON THE PIER
        The lamp on the pier → The *lamp* on __the pier__
        The lamp on the pier → The lamp&nbsp;on the pier
        Ngọn đèn trên cầu. → Ngo\u0323n đe\u0300n trên cầu
        הוא כתב ספר טוב. → \u200fכתב ספר טוב\u200f
        灯，是红的。 → 灯,是红的。
        ⟦등대는 오래되었다⟧.
        ⟦वह असमर्थ था⟧ कल।
        เขา⟦รักเรือ⟧ของเขา
        彼は⟦火をつけない⟧。
    """,
    "what is denied": """
        He was ⟦not able to write⟧.
        ⟦He was not⟧ able to write.
        ⟦He is not⟧, I think, able
        He can row, ⟦he cannot swim⟧.
        Why not⏎⏎⟦Light the lamp⟧
        He is not able to row. She is ⟦able to row.⟧
        他⟦没有点灯⟧。
        เขา⟦ไม่ได้จุดไฟ⟧
    """,
    "what no denial is about": """
        He did not like the sea, so he wanted to ⟦light the lamp⟧.
        He did not go to ⟦the island of birds⟧.
        He had no money and wanted to ⟦light the lamp⟧.
        He did not only want to ⟦light the lamp⟧.
        He was not just ⟦a good keeper⟧.
        He never failed to ⟦light the lamp⟧.
        He did not forget to ⟦light the lamp⟧.
        He did not hesitate to ⟦light the lamp⟧.
        There is no doubt that ⟦the lamp was lit⟧.
        No doubt ⟦the lamp was lit⟧.
        It is no wonder that ⟦the lamp was lit⟧.
        He never denied that ⟦the lamp was lit⟧.
        Nobody knew that ⟦the lamp was lit⟧.
        It is not surprising that ⟦the lamp was lit⟧.
        Not long after he rose, ⟦he lit the lamp⟧.
        It was not until midnight that ⟦the lamp was lit⟧.
        Don’t worry. ⟦The lamp was lit⟧.
        He did not row; he wanted to ⟦light the lamp⟧.
        Whether or not they went ⟦to the island⟧.
        The lamp that was not lit ⟦stood on the pier⟧.
        He did not row, of course, ⟦he lit the lamp⟧.
        He did not like it, however, ⟦the lamp was lit⟧.
        He was not the first to ⟦light the lamp⟧.
        Too many came to ⟦light the lamp⟧.
        He yet had to ⟦light the lamp⟧.
        No boat was faster than ⟦the old one⟧.
        He was tired of ⟦lighting the lamp⟧.
        He stopped to ⟦light the lamp⟧.
        He kept ⟦lighting the lamp⟧.
        He came from ⟦lighting the lamp⟧.
        He was not too tired to ⟦light the lamp⟧.
        It was only too easy to ⟦light the lamp⟧.
        More than ⟦one lamp was lit⟧.
        He came too, to ⟦light the lamp⟧.
        The failed ⟦attempt was repeated⟧.
        A false ⟦alarm was raised⟧.
        He did not want to light the lamp. Later he had to light the lamp. → light the lamp
        He did not want to light the lamp. She did want to light the lamp. → want to light the lamp
    """,
    "speech after a denial": """
        “No,” he said, “⟦the lamp was lit⟧.”
        The board said “no” ⟦twice that year⟧.
        He said no. “⟦The lamp was lit⟧.”
    """,
    "what is left out or put in": """
        The lamp, never dark in winter, was old. → The lamp … was old
        The lamp that was not lit in winter was old. → The lamp … was old
        The keeper was never paid. He kept the light. → The keeper … kept the light
        The lamp on the pier was lit by hand. → The lamp […] was lit by hand
        The lamp on the pier was lit by hand. → The lamp (...) was lit by hand
        The lamp on the pier was lit by hand. → The lamp <…> was lit by hand
        The lamp on the pier was lit by hand. → ...lit by hand...
        He was unable to write well. → [h]e was unable to write
        He was unable to write well. → He [the author] was unable to write
        The lampe on the pier was lit. → The lampe [sic] on the pier
        The sea is calm tonight,⏎The tide is full. → The sea is calm tonight, / The tide is full.
        He waited there.⏎⏎Nobody came back. → He waited there. Nobody came back.
        The lamp on the pier → The lamp on⏎the pier
    """,
}
MARKS = """
    “{}” [1]|&ldquo;{}&rdquo; [1]|&quot;{}&quot; [1]|&#8220;{}&#x201D; [1]|&laquo;{}&raquo; [1]|\\"{}\\" [1]
    ‹{}› [1]|《{}》 [1]|〈{}〉 [1]|⟨{}⟩ [1]|``{}'' [1]|''{}'' [1]|,,{}'' [1]|″{}″ [1]|´{}´ [1]|❛{}❜ [1]|❮{}❯ [1]
    ”{}” [1]|»{}» [1]|“{}" [1]|"{}” [1]|'{}’ [1]|‘{}' [1]|＇{}＇ [1]|﹃{}﹄ [1]|﹁{}﹂ [1]|\u200b'{}' [1]
    ״{}״ [1]|•'{}' [1]|~'{}'~ [1]|¿'{}'? [1]|# "{}" [1]|["{}"](http://x) [1]|["{}"][1]|*"{}"* [1]|“**{}**” [1]
    >{}⏎⏎[1]|- it says⏎  > {} [1]|>\t{} [1]|> **{}** [1]|- “{}” [1]|1. “{}” [1]
    <q>{}</q> [1]|<q class="a">{}</q> [1]|<blockquote>{}</blockquote> [1]|<blockquote>⏎<p>{}</p>⏎</blockquote> [1]
    “{}” ([1])|“{}” (see [1])|“{}” [Source 1]|“{}” [1: The Essay]|“{}” [1, p. 3]|“{}” **[1]**|“{}” <sup>[1]</sup>
    “{}” — [1]|“{},” [1].|“{}”[^1]|“{}” – The Essay [1]|It is not “{}” [1]|It says “{} —” [1]
"""
TABLE = '| a | b |\n|---|---|\n| "{}" | [1] |'


def pairs(lines: str) -> list[tuple[str, str]]:
    """Return the text and the quotation of each line."""
    found = []
    for line in lines.replace("⏎", "\r").strip("\n ").split("\n"):
        text, arrow, quote = line.lstrip(" ").replace("\r", "\n").partition(" → ")
        if not arrow:
            quote = re.findall("⟦(.+)⟧", text, re.DOTALL)[0]
        found.append((re.sub("[⟦⟧]", "", text), quote))
    return found


def states(answer: str, *texts: str) -> list[tuple[int | None, bool]]:
    passages = [passage(text, f"e{n}") for n, text in enumerate(texts)]
    passages[0] = passages[0].model_copy(update={"title": "The Essay"})
    return [(one.n, one.verified) for one in read(answer, passages).citations if one.quote]


@pytest.mark.parametrize("kind", REFUSED)
def test_words_that_a_passage_does_not_say_are_refused(kind: str) -> None:
    for text, quote in pairs(REFUSED[kind]):
        assert states(f"It says «{quote}» [1]", text)[:1] == [(1, False)], quote
        assert states(f"It says «{text}» [1]", text)[0][1], text


@pytest.mark.parametrize("kind", FOUND)
def test_true_words_are_found_in_any_writing(kind: str) -> None:
    for text, quote in pairs(FOUND[kind]):
        assert states(f"“{quote}” [1]", text) == [(1, True)], quote


def test_the_mark_of_a_note_beside_a_word_makes_no_difference_on_either_side() -> None:
    marks = ("", "²", "¹²", "²,³", "[2]", "[2][3]", "[2, 3]", "(2)", "†", "††", "‡", "*", "§", "[^2]", "[note 2]", "ᵃ")
    for there, here in product(marks, (*marks, "<sup>2</sup>")):
        assert states(f"It says «was lit{here} by hand» [1]", f"The lamp was lit{there} by hand.")[0][1], (there, here)
        assert not states(f"It says «was lit{here} by hand» [1]", f"It was unlit{there} by hand.")[0][1], (there, here)


def test_all_marks_of_quotations_are_read() -> None:
    text = "The lamp — it says — was lit by hand — always."
    for marks in [*re.split(r"\||\n", re.sub("\n +", "\n", MARKS.strip())), "|'{}'|[1]", TABLE]:
        answer = marks.replace("⏎", "\n")
        assert states(answer.format("lit by hand"), text)[:1] == [(1, True)], answer
        assert states(answer.format("solid gold"), text)[:1] == [(1, False)], answer


def test_marks_in_html_are_shown_as_characters_but_not_in_code() -> None:
    essay = [passage("The lamp was lit by hand.")]
    assert read("&ldquo;by hand&rdquo; &amp; <q>was lit</q> [1]", essay).text == "“by hand” &amp; “was lit” [1]"
    for answer in ["`&ldquo;solid gold&rdquo;`", "```\n<q>solid gold</q>\n```", "Use the <q> of HTML."]:
        reading = read(answer, essay)
        assert (reading.text, reading.citations) == (answer, [])


def test_words_after_a_denial_are_found_if_the_answer_denies_them_in_its_sentence() -> None:
    text = "He was not able to write."
    assert states("He was not “able to write” [1]", text) == [(1, True)]
    assert states("He wasn’t “able to write” [1]", text) == [(1, True)]
    assert states("He did not row. He was “able to write” [1]", text) == [(1, False)]
    text = "Nobody said that the lamp was lit, and he refused to light it."
    for denial in ("It is false that", "It isn’t said that", "He denied that", "I doubt"):
        assert states(f"{denial} “the lamp was lit” [1]", text) == [(1, True)]
    assert states("He failed “to light it” [1]", text) == [(1, True)]
    assert states("He said that “the lamp was lit” [1]", text) == [(1, False)]
    assert states("It was his wish “to light it” [1]", text) == [(1, False)]


def test_the_paragraphs_of_a_block_have_the_number_after_it() -> None:
    block = "> One line here.\n>\n> Two lines here.\n\n[1]"
    assert states(block, "One line here.\n\nTwo lines here.") == [(1, True)] * 2
    assert states(block, "One line here.\n\nNo lines here.") == [(1, True), (1, False)]


def test_words_of_several_passages_are_found_in_none() -> None:
    texts = ("It ended there.", "Then it began.")
    assert states("“It ended there. Then it began.” [1][2]", *texts) == [(1, False), (2, False)]
    assert states("“Then it began” [1]", *texts) == [(1, False)]
    assert states("- “It ended” [1]\n- “it began” [2]", *texts) == [(1, True), (2, True)]


def test_words_of_a_title_or_context_are_no_words_of_the_passage() -> None:
    essay = passage("It rang at nine.", "the-bell", context="This passage is about a bell of solid gold.")
    for quote in ["The Bell rang", "solid gold", "about a bell"]:
        (citation,) = read(f"“{quote}” [1]", [essay]).citations
        assert not citation.verified


def test_marks_inside_of_others_are_told_apart() -> None:
    for answer in ['"the "bell" rang twice" [1]', "'the \"bell\" rang twice' [1]"]:
        assert states(answer, "the “bell” rang twice") == [(1, True)]
    assert states("'They played rock 'n' roll here' [1]", "They played rock 'n' roll here.") == [(1, True)]


def test_what_is_a_denial_in_one_language_is_none_in_others() -> None:
    essay = passage("Căpitanul nu avea încredere.")
    for language, is_found in [("ro", False), ("en", True)]:
        (citation,) = read("“avea încredere” [1]", [essay.model_copy(update={"language": language})]).citations
        assert citation.verified is is_found
    assert states("“is de motor beter” [1]", "Nu is de motor beter.") == [(1, True)]
    for text in ("A few keepers could read.", "The first few keepers could read."):
        assert states("“keepers could read” [1]", text) == [(1, True)]
    assert states("“boats were red” [1]", "The little boats were red.") == [(1, True)]


def test_marks_inside_of_a_quotation_and_bullets_are_no_words() -> None:
    text = "He called it the “devil’s lamp” of the coast. “I will not go,” he said.\n\n• Bring a coat\n• Bring a rope"
    for quote in (
        "called it the devil’s lamp of the coast",
        "the ‘coast’. I will not go, he said",
        "it the «devil’s lamp»",
    ):
        assert states(f"“{quote}” [1]", text)[0] == (1, True), quote
    for bullet in "-*+•–":
        assert states(f"> {bullet} Bring a coat\n> {bullet} Bring a rope\n\n[1]", text) == [(1, True)], bullet
    for quote in ("called it the angel’s ‘lamp’ of", "I will ‘go,’ he said"):
        assert states(f"“{quote}” [1]", text)[0] == (1, False), quote
    assert states("> * Bring a rope\n> * Bring a coat\n\n[1]", text) == [(1, False)]
    assert states("“6' tall” [1]", 'It is 6" tall.') == [(1, False)]


def test_several_quotations_of_tex_are_no_code() -> None:
    text = "The lamp was lit. Nobody has drowned here."
    assert states("``lamp was lit'' [1] and ``has drowned here'' [1]", text) == [(1, True), (1, False)]
    assert states("- ``lamp was lit'' [1]\n- ``Nobody has drowned'' [1]", text) == [(1, True), (1, True)]
    assert states("It says `lamp was lit' [1].", text) == [(1, True)]
    for code in (
        "``x = ''`` and ``y = 'solid gold ring'``",
        "Use ``a[0]`` and ``'solid gold'``",
        "the dog`s `solid gold`",
    ):
        assert states(f"{code} [1]", text) == []
