/** Templates of --format: what Go's text/template makes of the same, and bounds. */
import { describe, expect, test } from "bun:test";
import { evaluateTemplate } from "../../../../src/cli/template/evaluate.ts";
import { TEMPLATE_LENGTH_MAX } from "../../../../src/cli/template/lex.ts";
import type { Value } from "../../../../src/cli/template/node.ts";
import { DEPTH_MAX, parseTemplate } from "../../../../src/cli/template/parse.ts";

const data: Value = {
  ID: "sha256:abc",
  Names: ["a", "b"],
  Size: 42,
  Empty: [],
  On: true,
  Ports: { "80/tcp": {} },
  Config: { Check: null, Env: ["A=1", "B=2"], Labels: { "with.dot": "x", plain: "y" }, User: "" },
};
const fill = (text: string, value: Value = data): string => evaluateTemplate(parseTemplate(text), value);

describe("evaluateTemplate()", () => {
  const cases: ReadonlyArray<readonly [template: string, text: string]> = [
    ["plain", "plain"],
    ["{{.ID}} {{ .Size }}", "sha256:abc 42"],
    ["{{.Config.Env}}", "[A=1 B=2]"],
    ["{{.Config.Labels}}", "map[plain:y with.dot:x]"],
    ["{{json .Config.Env}}", '["A=1","B=2"]'],
    ["{{json .Config.Missing}}", "null"],
    ["{{len .Config.Missing}}{{index .Config.Missing `x`}}|", "0|"],
    ["{{.Ports}}{{.Config.Check}}", "map[80/tcp:{}]<nil>"],
    ['{{join .Names "\\n"}}\\t{{"\\t"}}\\n', "a\nb\t\t\n"],
    ["{{.Config.Missing}}", "<no value>"],
    ["{{.Config.Missing.Deeper}}", "<no value>"],
    ['{{index .Config.Labels "with.dot"}}', "x"],
    ["{{index .Names 1}}{{index .Config.Labels `none`}}", "b"],
    ['{{join .Names ", "}}', "a, b"],
    ['{{join .Names ", " | upper}}', "A, B"],
    ['{{upper "x"}}{{lower "Y"}}{{title "two words"}}', "XyTwo Words"],
    ['{{split "a/b" "/" | json}}', '["a","b"]'],
    ["{{truncate .ID 3}}|{{pad .ID 1 2}}|", "sha| sha256:abc  |"],
    ["{{len .Names}}{{len .ID}}", "210"],
    ['{{printf "%s=%d %q %v%%" .ID .Size "a" .Names}}', 'sha256:abc=42 "a" [a b]%'],
    [
      '{{printf "%-4s|%4s|%.3s|%04d|%+d|%x|%.2f|%t" "a" "b" .ID 7 7 255 1.5 true}}',
      "a   |   b|sha|0007|+7|ff|1.50|true",
    ],
    ["{{slice .ID 7 9}}{{slice .ID 8}}{{slice .Names 1}}", "abbc[b]"],
    ['{{print "a" 1}}{{println "b"}}', "a1b\n"],
    ["{{range .Names}}<{{.}}>{{end}}", "<a><b>"],
    ["{{range $i, $n := .Names}}{{$i}}{{$n}}{{end}}", "0a1b"],
    ["{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "plain=y;with.dot=x;"],
    ["{{range .Names}}{{.}}{{$.Size}}{{end}}", "a42b42"],
    ["{{range .Empty}}x{{else}}none{{end}}", "none"],
    ["{{if .On}}on{{else}}off{{end}}", "on"],
    ["{{if .Config.User}}u{{else if .Names}}n{{else}}0{{end}}", "n"],
    ["{{if and .On (not .Empty)}}y{{end}}", "y"],
    ["{{if eq .Size 42}}eq{{end}}{{if lt .Size 9}}lt{{end}}{{if ge .Size 42}}ge{{end}}", "eqge"],
    ['{{or .Config.User "root"}}', "root"],
    ["{{with .Config}}{{.Env}}{{end}}", "[A=1 B=2]"],
    ["{{with $c := .Config}}{{$c.Env}}{{end}}", "[A=1 B=2]"],
    ["{{$x := .Size}}{{$x}}", "42"],
    ['{{(index .Names 0) | printf "%s!"}}', "a!"],
    ["a {{- .Size -}} b", "a42b"],
    ["{{/* a comment */}}x", "x"],
    ['{{"}}"}}', "}}"],
    ["{{true}}{{nil | json}}{{-1}}{{1.5}}", "truenull-11.5"],
  ];
  test.each(cases)("makes of %j %j", (template, text) => {
    expect(fill(template)).toBe(text);
  });

  test("names a field that is not there", () => {
    expect(() => fill("{{.Nmae}}")).toThrow('Cannot use the template of --format: there is no field "Nmae"');
    expect(() => fill("{{.C}}", { A: 1, B: 2 })).toThrow(expect.objectContaining({ hint: "Use .A .B" }));
  });

  test("does not see what objects inherit", () => {
    expect(fill("{{.Config.constructor}}{{index .Config.Labels `__proto__`}}")).toBe("<no value>");
    expect(() => fill("{{.toString}}")).toThrow("no field");
  });

  test("ends when ranges within ranges take too many steps", () => {
    const many = { L: Array.from({ length: 200 }, (_, at) => at) };
    const nested = `${"{{range $.L}}".repeat(4)}x${"{{end}}".repeat(4)}`;

    expect(() => fill(nested, many)).toThrow("more than 1000000 steps");
  });

  test.each([
    "{{index .Names 2}}",
    "{{index .Size 1}}",
    "{{len .Size}}",
    "{{slice .Size 1}}",
    "{{slice .ID 4 2}}",
    "{{slice .ID 0 99}}",
    '{{printf "%f" .ID}}',
    '{{printf "%y" .ID}}',
    '{{printf "%"}}',
    "{{range .Size}}{{end}}",
    "{{join .ID}}",
    "{{$no}}",
  ])("refuses what makes no sense: %s", (template) => {
    expect(() => fill(template)).toThrow("Cannot use the template of --format: ");
  });
});

describe("parseTemplate()", () => {
  test.each([
    ["{{.ID", 'no "}}"'],
    ["{{end}}", "outside of a block"],
    ["{{if .ID}}", 'has no "end"'],
    ["{{if .ID}}{{else}}", 'has no "end"'],
    ["{{}}", "a value is missing"],
    ["{{.ID | }}", "a value is missing"],
    ["{{.ID .Size}}", "takes no arguments"],
    ["{{frob .ID}}", 'no function "frob"'],
    ["{{(.ID}}", 'has no ")"'],
    ["{{.ID)}}", "is not expected"],
    ["{{#}}", "is no word"],
    ['{{"\\x"}}', "is no string"],
    ["{{range a, b, c := .ID}}{{end}}", "are no variables"],
  ])("refuses %j", (template, state) => {
    expect(() => parseTemplate(template)).toThrow(state);
  });

  test("bounds length and depth", () => {
    const blocks = (depth: number): string => "{{if 1}}".repeat(depth) + "{{end}}".repeat(depth);
    const parentheses = (depth: number): string => `{{${"(".repeat(depth)}1${")".repeat(depth)}}}`;

    expect(parseTemplate("x".repeat(TEMPLATE_LENGTH_MAX))).toHaveLength(1);
    expect(() => parseTemplate("x".repeat(TEMPLATE_LENGTH_MAX + 1))).toThrow("more than");
    expect(parseTemplate(blocks(DEPTH_MAX))).toHaveLength(1);
    expect(() => parseTemplate(blocks(DEPTH_MAX + 1))).toThrow("deeper than");
    expect(parseTemplate(parentheses(DEPTH_MAX))).toHaveLength(1);
    expect(() => parseTemplate(parentheses(DEPTH_MAX + 1))).toThrow("deeper than");
  });
});
