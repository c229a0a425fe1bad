"""The look of the report: system fonts, two palettes, tables that scroll in a box of their own."""

from __future__ import annotations

CSS = """
:root{--bg:#f6f7f9;--card:#fff;--ink:#1b1f27;--soft:#586172;--line:#e1e5eb;--accent:#2157c9;--track:#e6eaf1;
--hit:37 99 235;--miss:217 105 20;--tick:#586172}
@media (prefers-color-scheme:dark){:root{--bg:#12151a;--card:#1a1e25;--ink:#e9ecf1;--soft:#a5afbf;--line:#2d333e;
--accent:#7faaff;--track:#2b313c;--hit:86 141 245;--miss:224 128 52;--tick:#a5afbf}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:980px;margin:0 auto;padding:48px 24px 64px}
h1{font-size:2rem;line-height:1.2;margin:0;letter-spacing:-.015em;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:0 0 4px}
h3{font-size:1rem;margin:28px 0 8px}
p{margin:0}
.eyebrow,.label{font-size:.8125rem;color:var(--soft);font-weight:600}
.sub{color:var(--soft);margin-top:6px;overflow-wrap:anywhere}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:24px;margin-top:20px}
.cautions{border-left:4px solid rgb(var(--miss));overflow-wrap:anywhere}
.cautions ul{margin:6px 0 0;padding-left:20px}
.hero{margin-top:28px}
.score{display:flex;gap:12px 40px;align-items:center;flex-wrap:wrap}
.score+.score{margin-top:20px}
.score>div:first-child{min-width:10rem}
.big{font-size:3.5rem;line-height:1.1;font-weight:650;letter-spacing:-.03em;white-space:nowrap}
.herotext{flex:1 1 320px;min-width:0}
.strip{position:relative;height:10px;border-radius:5px;background:var(--track);margin:16px 0 6px}
.strip span{position:absolute;top:0;height:100%}
.band{background:rgb(var(--hit)/.45);border-radius:5px;min-width:4px}
.strip .tick{width:2px;top:-4px;height:18px;margin-left:-1px;background:var(--tick)}
.strip .dot{width:14px;height:14px;top:-2px;margin-left:-7px;border-radius:50%;background:var(--accent);
border:2px solid var(--card)}
.scale{display:flex;justify-content:space-between;gap:12px;font-size:.8125rem;color:var(--soft)}
.key i{display:inline-block;margin:0 5px 0 10px;vertical-align:middle}
.k-dot{width:10px;height:10px;border-radius:50%;background:var(--accent)}
.k-band{width:18px;height:8px;border-radius:4px;background:rgb(var(--hit)/.45)}
.k-tick{width:2px;height:14px;background:var(--tick)}
.verdict{margin-top:16px;font-weight:600;overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:1px;padding:0;overflow:hidden}
.tiles>div{box-shadow:0 0 0 1px var(--line);padding:18px 24px;min-width:0;overflow-wrap:anywhere}
.figure{font-size:1.5rem;font-weight:620;margin:2px 0}
.small,.note,.calm,footer{color:var(--soft);font-size:.875rem}
.note{max-width:68ch;margin-bottom:14px}
.calm{padding-top:4px}
.scroll{overflow-x:auto;margin:10px -24px 0;padding:0 24px}
.scroll+.small{margin-top:12px}
.scroll:focus-visible,summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:8px 16px 8px 0;text-align:left;border-bottom:1px solid var(--line);vertical-align:middle;
unicode-bidi:isolate}
tbody tr:last-child>*{border-bottom:0}
thead th{font-size:.8125rem;color:var(--soft);font-weight:600;white-space:nowrap}
tbody th{font-weight:500;min-width:8em;max-width:22em;overflow-wrap:break-word}
tbody th.kind{max-width:none;min-width:10em}
th .small,h3 .small{font-weight:400}
.why{min-width:14em}
td.n,th.n{text-align:right;padding-right:28px;white-space:nowrap}
.nowrap{white-space:nowrap}
.where{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.8125rem;overflow-wrap:anywhere;
min-width:14em}
.value{display:inline-block;min-width:4.4em}
.bar{display:inline-block;vertical-align:middle;width:72px;height:6px;border-radius:3px;background:var(--track);
overflow:hidden}
.bar span{display:block;height:100%;background:var(--accent)}
.matrix{width:auto;border-collapse:separate;border-spacing:2px}
.matrix td,.matrix th{border:0;padding:6px 8px}
.matrix td{text-align:center;min-width:44px;border-radius:5px}
.matrix thead th{vertical-align:bottom;text-align:center;padding:4px 2px}
.matrix thead th span{display:inline-block;writing-mode:vertical-rl;transform:rotate(180deg);max-height:14em;
overflow:hidden;text-overflow:ellipsis}
.matrix tbody th{white-space:nowrap;max-width:16em;overflow:hidden;text-overflow:ellipsis;text-align:right}
.matrix .corner{font-size:.8125rem;color:var(--soft);vertical-align:bottom;text-align:right;white-space:nowrap}
.matrix .hit{background:rgb(var(--hit)/var(--s))}
.matrix .miss{background:rgb(var(--miss)/var(--s))}
.matrix .zero{color:var(--soft)}
.chips{list-style:none;display:flex;flex-wrap:wrap;gap:8px;padding:0;margin:10px 0 6px}
.chips li{border:1px solid var(--line);border-radius:999px;padding:3px 12px;font-size:.875rem}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:16px 24px;margin:16px 0 0}
.facts dt{font-size:.8125rem;color:var(--soft)}
.facts dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.wrong{list-style:none;margin:0;padding:0}
.wrong li{padding:14px 0;border-top:1px solid var(--line);overflow-wrap:anywhere;unicode-bidi:isolate}
.wrong li:first-child{border-top:0;padding-top:0}
.wrong dl{display:grid;grid-template-columns:5.5em 1fr;gap:2px 12px;margin:6px 0;font-size:.9375rem}
.wrong dt{color:var(--soft)}
.wrong dd{margin:0;unicode-bidi:isolate}
.wrong i{color:var(--soft)}
.asked{font-weight:600}
.place{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.8125rem}
details{margin-top:14px}
summary{cursor:pointer;color:var(--accent);font-size:.9rem}
footer{margin-top:28px}
@media (max-width:600px){main{padding:28px 14px 40px}section{padding:18px}
.scroll{margin:10px -18px 0;padding:0 18px}.key{display:none}
.bar{width:44px}td.n,th.n{padding-right:16px}}
@media print{:root{--bg:#fff;--card:#fff;--ink:#111;--soft:#444;--line:#ccc;--accent:#2157c9;--track:#e6eaf1;
--hit:37 99 235;--miss:217 105 20;--tick:#444}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}body{font-size:11pt}main{max-width:none;padding:0}
section{padding:12pt;border-radius:0}.hero,.tiles,tr,.wrong li{break-inside:avoid}h2,h3{break-after:avoid}
.scroll{overflow:visible;margin:6pt 0 0;padding:0}}
"""
