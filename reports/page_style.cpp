#include "reports/page.h"

namespace niah::reports {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--paper:#fff;--ink:#1f2328;--soft:#57606a;--line:#d8dee4;
--box:#f6f8fa;--accent:#0b5cad;--warn:#fff8e6;--warn-line:#d4a72c;
--c0:#3d444d;--c1:#c2410c;--c2:#0369a1;--c3:#0f766e;--c4:#8b3fc7;--c5:#997404;--c6:#be185d;
--c7:#4d7c0f}
@media(prefers-color-scheme:dark){:root{--paper:#0d1117;--ink:#e6edf3;--soft:#9198a1;
--line:#30363d;--box:#151b23;--accent:#6cb6ff;--warn:#272115;--warn-line:#9e7a1f;
--c0:#d1d7e0;--c1:#fb8f44;--c2:#4cb8f5;--c3:#2dd4bf;--c4:#c297ff;--c5:#e3b341;--c6:#f778ba;
--c7:#a3d65c}
.map{filter:brightness(.9)}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",sans-serif}
main,header,footer{max-width:1240px;margin:0 auto;padding:0 28px}
header{padding-top:44px}
h1{font-size:30px;line-height:1.2;letter-spacing:-.015em;margin:0 0 12px;font-weight:650}
h2{font-size:21px;line-height:1.3;letter-spacing:-.01em;margin:64px 0 8px;font-weight:650}
h3{font-size:16px;margin:28px 0 8px;font-weight:650}
h3 span{font-weight:400;font-size:14px;color:var(--soft);padding-left:6px}
p,li{max-width:46em}
.lead{font-size:17px;color:var(--soft);margin:0 0 8px}
.note{color:var(--soft);font-size:14px;margin:0 0 16px}
a{color:var(--accent);text-underline-offset:2px}
nav{margin:28px 0 0;font-size:14px}
nav ul{display:flex;flex-wrap:wrap;gap:4px 18px;margin:0;padding:0;list-style:none}
.answer{border-left:3px solid var(--accent);padding:2px 0 2px 20px;margin:36px 0 0}
.answer .headline{font-size:20px;line-height:1.45;margin:0 0 14px;max-width:42em}
.answer ul{margin:0;padding:0;list-style:none}
.answer li{margin:0 0 8px;max-width:52em}
.box{background:var(--warn);border:1px solid var(--warn-line);border-radius:8px;
padding:14px 20px;margin:28px 0 0}
.box h2{font-size:15px;margin:0 0 4px;letter-spacing:0}
.box ul{margin:0;padding-left:18px;font-size:15px}
.box li{margin:2px 0}
.tasks{display:flex;flex-wrap:wrap;column-gap:56px}
.tasks>div{max-width:100%}
.strip{display:flex;gap:16px;overflow-x:auto;padding:4px 0 10px;align-items:flex-start}
figure{margin:0;flex:none}
figcaption{font-size:14px;font-weight:600;margin:0 0 2px;padding-left:24px}
figcaption span{font-weight:400;color:var(--soft)}
details{font-size:14px}
figure details{padding-left:24px}
summary{cursor:pointer;color:var(--soft);width:max-content;max-width:100%;font-size:13px}
summary:hover{color:var(--accent)}
.fold{margin:12px 0}
.fold>summary{font-size:15px;color:var(--ink);font-weight:600;padding:4px 0}
svg{display:block}
svg text{font:10px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
font-variant-numeric:tabular-nums}
.map .value{font-size:9.5px;text-anchor:middle}
.map .tick{font-size:9px}
.map .n{font-size:6.5px;text-anchor:end}
.tick{fill:var(--soft)}
.mid{text-anchor:middle}
.end{text-anchor:end}
.gap{stroke:var(--soft);stroke-width:.5;stroke-opacity:.6}
.hatch{stroke:var(--soft);stroke-opacity:.7}
.blank{fill:none;stroke:var(--soft);stroke-width:.5;stroke-opacity:.5;stroke-dasharray:1 2}
.map rect{-webkit-print-color-adjust:exact;print-color-adjust:exact}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:24px 32px}
.charts figure{min-width:0}
.charts figcaption{padding-left:34px;margin-bottom:4px}
.chart{width:100%;height:auto;max-width:480px}
.rule{stroke:var(--line);stroke-width:1;fill:none}
.band{opacity:.1;stroke:none}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}
.mark{stroke:var(--paper);stroke-width:1}
.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}.c4{--c:var(--c4)}
.c5{--c:var(--c5)}.c6{--c:var(--c6)}.c7{--c:var(--c7)}
.series .band,.series .mark{fill:var(--c)}
.series .line{stroke:var(--c)}
.dashed .line{stroke-dasharray:6 4}
.dotted .line{stroke-dasharray:1.5 3.5}
.series .bar{fill:var(--c)}
.hollow .bar{fill:none;stroke:var(--c);stroke-width:1.2}
.whisker{fill:none;stroke:var(--ink);stroke-width:1}
.parts{max-width:720px}
.parts .name{font-size:12px;fill:var(--ink)}
.key{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:14px;margin:8px 0 16px;padding:0;
list-style:none}
.key li{display:flex;align-items:center;gap:7px}
.scroll{overflow-x:auto;margin:8px 0 20px;padding-bottom:4px}
table{border-collapse:collapse;font-size:13px;line-height:1.35;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding:0 0 8px;caption-side:top;font-size:14px}
caption span{display:block;position:sticky;left:0;width:max-content;
max-width:min(54em,100vw - 72px);margin-right:-54em}
figure caption span{width:auto;max-width:none;margin:0}
.charts+.scroll,.chart+.scroll{margin-top:28px}
th,td{padding:5px 8px;text-align:left;white-space:nowrap;font-weight:400}
th:first-child,td:first-child{padding-left:0}
thead th{font-weight:600;color:var(--soft);font-size:12.5px;vertical-align:bottom}
thead tr:last-child th{border-bottom:1px solid var(--line)}
.group{color:var(--ink);text-align:center}
tbody tr+tr>*{border-top:1px solid color-mix(in srgb,var(--line) 55%,transparent)}
.num{text-align:right}
tbody .next>*{border-top-color:color-mix(in srgb,var(--soft) 50%,transparent)}
.part{padding-left:24px}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:5px 22px;margin:8px 0;font-size:15px}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
pre,code{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace}
pre{background:var(--box);border:1px solid var(--line);border-radius:6px;padding:12px 14px;
overflow-x:auto;margin:8px 0;white-space:pre-wrap;overflow-wrap:anywhere}
.misses{list-style:none;padding:0;margin:12px 0}
.misses li{padding:10px 0;border-top:1px solid var(--line);max-width:none;font-size:14px}
.misses code{overflow-wrap:anywhere}
.misses .where{color:var(--soft);display:block}
.files{columns:3 220px;font-size:14px;padding-left:18px}
footer{color:var(--soft);font-size:13px;padding-top:48px;padding-bottom:48px}
@media(max-width:600px){main,header,footer{padding-left:18px;padding-right:18px}
header{padding-top:26px}h1{font-size:25px}h2{margin-top:48px}.answer{padding-left:14px}
.answer .headline{font-size:18px}caption span{max-width:calc(100vw - 36px)}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}}
@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--line:#ccc;--warn:#fff;--box:#fff}
body{font-size:10.5pt}nav{display:none}
details::details-content{content-visibility:visible;display:block;height:auto}
summary{list-style:none}
h2{margin-top:32px}
h2,h3,.note,.key,caption,summary,dt,.map[aria-label^=Colours]{break-after:avoid}
h3,caption,thead,figcaption,.note{break-inside:avoid}
p,li,dd{orphans:3;widows:3}
figure,tr,.box,.answer:not(.verdict),.misses li,pre,section>.chart{break-inside:avoid}
.tasks{column-gap:24px}.tasks h3 span{display:block;padding:0}
.strip{flex-wrap:wrap;overflow:visible;break-before:avoid}
.charts{display:block}.charts figure{display:inline-block;width:48%;margin:0 1% 8px 0}
.scroll{overflow:visible}table{font-size:7.5pt}th,td{padding:2px 5px}}
)css";

}  // namespace

std::string_view page_style() { return kStyle; }

}  // namespace niah::reports
