"""The style of the audit's page. Colours differ in lightness, and each state has a symbol and a pattern beside."""

STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --soft: #57606a; --back: #fff; --line: #d0d7de; --panel: #f6f8fa;
  --l0: #eef1f4; --l1: #cfe3f7; --l2: #8fc0ec; --l3: #2f77b6; --l4: #0b3f73; --on-dark: #fff; --bad: #a40e26;
  --stripe: rgba(0, 0, 0, .22) }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --soft: #9aa4af; --back: #0d1117; --line: #30363d; --panel: #161b22;
    --l0: #20262d; --l1: #17375a; --l2: #1f5a96; --l3: #6aaae4; --l4: #b9dcfa; --on-dark: #06121f; --bad: #ff8a8a;
    --stripe: rgba(255, 255, 255, .3) } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; color: var(--text); background: var(--back);
  font: 16px/1.45 system-ui, sans-serif }
h1 { font-size: 1.35rem; margin: 0 0 .25rem; overflow-wrap: anywhere }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
p { margin: .25rem 0; color: var(--soft); overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .5rem; margin: 1rem 0 }
dl div { padding: .5rem .75rem; background: var(--panel); border: 1px solid var(--line); border-radius: 6px }
dt { font-size: .8rem; color: var(--soft) }
dd { margin: 0; font-size: 1.25rem; font-weight: 600 }
ul.legend { display: flex; flex-wrap: wrap; gap: .4rem 1rem; margin: .5rem 0 1rem; padding: 0;
  list-style: none; font-size: .85rem }
ul.legend i { display: inline-block; width: 1.5rem; height: 1.5rem; margin-right: .35rem; border-radius: 3px;
  vertical-align: middle; text-align: center; line-height: 1.5rem; font-style: normal; font-weight: 700 }
.months { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.25rem }
.months table { width: 100%; border-collapse: separate; border-spacing: 2px; table-layout: fixed; align-self: start }
.months caption { text-align: left; font-weight: 600; font-size: .9rem }
.months caption span { font-weight: 400; color: var(--soft) }
.months th { font-size: .7rem; font-weight: 400; color: var(--soft); padding: 0 }
.months td { height: 2.5rem; padding: 1px 0; text-align: center; border-radius: 3px; font-size: .7rem;
  line-height: 1.15 }
.months td b { display: block; font-size: .78rem }
.l0 { background-color: var(--l0) } .l1 { background-color: var(--l1) } .l2 { background-color: var(--l2) }
.l3 { background-color: var(--l3); color: var(--on-dark) } .l4 { background-color: var(--l4); color: var(--on-dark) }
.l2 { color: #06121f } @media (prefers-color-scheme: dark) { .l2 { color: #fff } }
.incomplete { background-image: repeating-linear-gradient(135deg, transparent 0 4px, var(--stripe) 4px 6px) }
.gap { background: none; outline: 2px dashed var(--soft); outline-offset: -2px; color: var(--text) }
.finding { outline: 3px solid var(--bad); outline-offset: -3px }
table.list { width: 100%; border-collapse: collapse; font-size: .9rem }
table.list th, table.list td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0;
  border-bottom: 1px solid var(--line) }
table.list th { font-weight: 600; color: var(--soft) }
table.list .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
table.list .date { white-space: nowrap }
table.findings td:first-child { white-space: nowrap }
table.findings td { overflow-wrap: anywhere }
table.findings code { font-size: .8rem; color: var(--soft) }
details { margin-top: 2rem }
summary { cursor: pointer; font-weight: 600 }
@media (max-width: 40rem) {
  body { padding: .75rem }
  table.findings thead { display: none }
  table.findings tr, table.findings td { display: block; border: 0; padding: 0 }
  table.findings tr { padding: .6rem 0; border-bottom: 1px solid var(--line) }
  table.days .pulled { display: none }
}
"""
