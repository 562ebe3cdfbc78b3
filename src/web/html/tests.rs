use super::*;
use crate::parse::parse;
use crate::session::sample;
use crate::text::SourceFile;

fn lab(text: &str) -> Lab {
    let text = format!("---\ntitle: T\nvars: {{ NS: {{ default: demo }} }}\n---\n# T\n\nHello ${{NS}}.\n\n{text}");
    let parsed = parse(&SourceFile::new("lab.md", "lab.md", text));
    parsed.lab.unwrap_or_else(|| panic!("{:#?}", parsed.findings))
}

/// As a session shows the first step: a check that holds, a block that was run.
fn view(lab: &Lab, hints_given: u32, solution_shown: bool) -> View {
    let mut view = sample(lab, 0, &[("NS", "team-x")]);
    for check in &mut view.step.checks {
        check.standing = Standing::Holds;
    }
    if let Some(block) = view.step.blocks.first_mut() {
        block.done = true;
    }
    (view.step.hints_given, view.step.solution_shown) = (hints_given, solution_shown);
    view
}

fn step(text: &str) -> String {
    let lab = lab(text);
    let view = view(&lab, 1, false);
    Sheet::new(&lab, &view, true).step(0)
}

const STEP: &str = r#"## Make it

Some *text* with `code ${NS}`.

```bash {setup}
true
```

```bash {name=create}
kubectl create namespace "$NS"
```
```output
namespace/${NS} created
```

<details><summary>Hint: the verb</summary>

It is `create`.

</details>
<details><summary>Hint</summary>

Look above.

</details>
<details><summary>Solution</summary>

```bash
kubectl create namespace other
```

</details>
<details><summary>More about it</summary>

For everybody.

</details>

```check
key /registry/namespaces/${NS} exists
```

```question
Which `key`?

( ) <b>this</b>
( ) that
```

<details><summary>Answer</summary>

```answer
B
```

Since *it is* ${NS} on ${LAB_NODE}.

</details>

## Then

Well done.
"#;

#[test]
fn a_step_has_its_blocks_checks_and_questions() {
    let html = step(STEP);
    for part in [
        "<p>Some <em>text</em> with <code>code team-x</code>.</p>",
        "<figure class=\"block\" data-block=\"create\" data-role=\"action\" data-terminal=\"1\"",
        "data-done><pre tabindex=\"0\"><code class=\"language-bash\">kubectl create namespace <span class=\"hl-string\">&quot;$NS&quot;</span>",
        "<figcaption>prints</figcaption><pre tabindex=\"0\"><code>namespace/team-x created",
        "<div class=\"check\" data-check=\"1\" data-standing=\"holds\"><span class=\"words\">etcd holds the key /registry/namespaces/team-x</span></div>",
        "<fieldset class=\"question\" data-question=\"1\" data-points=\"1\"><legend>Which <code>key</code>?</legend>",
        "<label><input type=\"radio\" name=\"q-1\" value=\"1\"> <span>&lt;b&gt;this&lt;/b&gt;</span></label>",
        "<details><summary>More about it</summary>",
        "<p>For everybody.</p>\n</details>",
    ] {
        assert!(html.contains(part), "{part}\nin\n{html}");
    }
    assert!(!html.contains(">true<"), "what runs unseen is not shown: {html}");
    assert!(!html.contains("(x)") && !html.contains("Well done"), "{html}");
}

#[test]
fn hints_and_solutions_come_when_they_are_given() {
    let lab = lab(STEP);
    let html = |hints, solution, with_answers| {
        let view = view(&lab, hints, solution);
        Sheet::new(&lab, &view, with_answers).step(0)
    };
    let none = html(0, false, true);
    assert!(
        none.contains("<details class=\"hint\" data-hint=\"1\"><summary>Hint: the verb</summary>\n</details>"),
        "{none}"
    );
    assert!(!none.contains("It is") && !none.contains("Look above") && !none.contains("namespace other"), "{none}");
    let one = html(1, false, true);
    assert!(one.contains("data-hint=\"1\" data-given open>") && one.contains("It is <code>create</code>"), "{one}");
    assert!(!one.contains("Look above") && !one.contains("namespace other"), "{one}");
    let all = html(2, true, true);
    assert!(all.contains("Look above") && all.contains("<details class=\"solution\" data-shown open>"), "{all}");
    assert!(all.contains("kubectl create namespace other"), "{all}");
    // Who looks on is shown none of them.
    let on = html(2, true, false);
    assert!(!on.contains("It is") && !on.contains("Look above") && !on.contains("namespace other"), "{on}");
}

#[test]
fn an_answer_comes_after_a_try() {
    let lab = lab(STEP);
    let html = |attempts, with_answers| {
        let mut view = view(&lab, 0, false);
        view.step.questions[0].attempts = attempts;
        Sheet::new(&lab, &view, with_answers).step(0)
    };
    for untold in [html(0, true), html(1, false)] {
        assert!(untold.contains("<details class=\"answer\" hidden>"), "{untold}");
        assert!(!untold.contains("Since") && !untold.contains("class=\"right\""), "{untold}");
    }
    let told = html(1, true);
    for part in [
        "<details class=\"answer\" open><summary>Answer</summary>",
        "<p class=\"right\">that</p>",
        "<p>Since <em>it is</em> team-x on the-node.</p>\n</details>",
    ] {
        assert!(told.contains(part), "{part}\nin\n{told}");
    }
}

#[test]
fn the_introduction_has_no_title_of_its_own() {
    let lab = lab("## Make it\n\nx\n");
    let view = view(&lab, 0, false);
    assert_eq!(Sheet::new(&lab, &view, true).intro(), "<p>Hello team-x.</p>\n");
}

#[test]
fn tables_lists_and_pictures_are_set() {
    let html = step(
        "## Make it\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n3. x\n4. y\n\n![A map & more](img/a%20b.svg) ![x](https://evil.example/x.png)\n\n[in](#make-it) [file](../x.md) [out](https://etcd.io)\n",
    );
    for part in [
        "<th scope=\"col\">a</th><th scope=\"col\" class=\"right\">b</th>",
        "<td>1</td><td class=\"right\">2</td>",
        "<ol start=\"3\">\n<li>x</li>",
        "<img data-picture=\"img/a b.svg\" alt=\"A map &amp; more\">",
        "<span class=\"no-picture\">x</span>",
        "<a href=\"#s-make-it\" data-step=\"make-it\">in</a>",
        "<span class=\"beside\" title=\"../x.md\">file</span>",
        "<a href=\"https://etcd.io\" target=\"_blank\" rel=\"noopener noreferrer\">out</a>",
    ] {
        assert!(html.contains(part), "{part}\nin\n{html}");
    }
}

/// Whatever a lab's author writes, the page that owns a shell gets none of it as its own.
#[test]
fn nothing_of_a_lab_runs_in_the_page() {
    let hostile = r#"## Make it

<script>alert(1)</script>

<script
src="https://evil.example/x.js"></script>

<img src=x onerror=alert(1)>

text <b onmouseover=alert(1)>bold</b> and <a href="javascript:alert(1)">link</a>

<svg onload=alert(1)><script>alert(2)</script></svg>

<iframe srcdoc="<script>alert(1)</script>"></iframe>

[a](javascript:alert(1)) [b](JaVaScRiPt&colon;alert(1)) [c](data:text/html;base64,x) <javascript:alert(1)>

![p](javascript:alert(1)) ![q](../../etc/passwd.png) ![r](//evil.example/x.png)

<details ontoggle=alert(1) open><summary onclick=alert(1)>Fold <img src=x onerror=alert(1)></summary>

inside

</details>

<style>body{display:none}</style>

<base href="https://evil.example/"><meta http-equiv=refresh content="0;url=//evil.example"><form action=//evil.example><input name=x></form>

`<script>alert(3)</script>` and "quotes" 'too'

| <script>alert(4)</script> | b |
|---|---|
| <img src=x onerror=alert(5)> | c |

<!-- <script>alert(6)</script> -->

<scr<script>ipt>alert(7)</script>
"#;
    let html = step(hostile);
    let tags = tags(&html);
    let known = [
        "p", "/p", "h3", "/h3", "a", "/a", "span", "/span", "code", "/code", "pre", "/pre", "details", "/details",
        "summary", "/summary", "div", "/div", "table", "/table", "thead", "/thead", "tbody", "/tbody", "tr", "/tr",
        "th", "/th", "td", "/td", "img", "br",
    ];
    for (name, attributes) in &tags {
        assert!(known.contains(&name.as_str()), "<{name}> in {html}");
        for attribute in attributes {
            let fits =
                ["class", "href", "target", "rel", "title", "scope", "tabindex", "data-picture", "data-step", "alt"];
            assert!(fits.contains(&attribute.as_str()), "{attribute} of <{name}> in {html}");
        }
    }
    assert!(!html.contains("href=\"javascript"), "{html}");
    assert!(html.contains("inside") && html.contains("bold"), "{html}");
}

/// The tags of an HTML text, each with its attributes' names; as strict as our own writing is.
fn tags(html: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        rest = &rest[open + 1..];
        let mut end = 0;
        let mut is_quoted = false;
        for (at, c) in rest.char_indices() {
            match c {
                '"' => is_quoted = !is_quoted,
                '>' if !is_quoted => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        let tag = &rest[..end];
        let name = tag.split(' ').next().unwrap_or_default().to_owned();
        let mut attributes = Vec::new();
        let mut inner = tag[name.len()..].trim_start();
        while !inner.is_empty() {
            let stop = inner.find(['=', ' ']).unwrap_or(inner.len());
            attributes.push(inner[..stop].to_owned());
            inner = &inner[stop..];
            if let Some(value) = inner.strip_prefix("=\"") {
                inner = value.split_once('"').expect("a closed value").1;
            }
            inner = inner.trim_start();
        }
        found.push((name, attributes));
        rest = &rest[end..];
    }
    found
}
