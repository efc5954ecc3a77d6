/** Lists in pages: however a registry writes the link to the next one, no page is left out. */
import { describe, expect, test } from "bun:test";
import { listTags } from "../../src/registry/tags.ts";
import { serveRegistry } from "../helpers/fake_registry.ts";
import { replace } from "../helpers/registry_faults.ts";
import { appOf, impatientClient, noisyImage, registryErrorOf } from "../helpers/registry_fixture.ts";

const NEXT = "/v2/app/tags/list?page=2";
const image = noisyImage();

describe("listTags()", () => {
  test.each([
    ["as the specification has it", `<${NEXT}>; rel="next"`],
    ["without quotes", `<${NEXT}>;rel=next`],
    ["behind another parameter", `<${NEXT}>; title="a, b; c"; rel="next"`],
    ["behind another link", `</v2/app/tags/list?page=9>; rel="prev first", <${NEXT}>; rel="next"`],
    ["among other relations", `<${NEXT}>; rel="last next"`],
    ["in capitals", `<${NEXT}>; REL="Next"`],
    ["relative to the page", '<list?page=2>; rel="next"'],
  ])("goes on to the next page, which is named %s", async (_, link) => {
    expect(await tagsWith(link)).toEqual(["one", "two"]);
  });

  test.each([
    ["of another relation", `<${NEXT}>; rel="prev"`],
    ["whose relation begins like it", `<${NEXT}>; rel=nextish`],
    ["that is not closed", `<${NEXT}; rel="next"`],
    ["of many blanks", `<${NEXT}>;${" ".repeat(6000)}rel${" ".repeat(6000)}`],
  ])("ends after a link %s", async (_, link) => {
    expect(await tagsWith(link)).toEqual(["one"]);
  });

  test("fails when a page is none", async () => {
    await using registry = serveRegistry({ images: { app: image } });
    registry.break(replace({ on: /tags\/list/ }, () => Response.json({ tags: ["../x"] })));

    const error = await registryErrorOf(listTags(impatientClient(), appOf(registry)));

    expect(error.code).toBe("REGISTRY_PROTOCOL");
  });
});

async function tagsWith(link: string): Promise<string[]> {
  await using registry = serveRegistry({ images: { app: image } });
  registry.break(
    replace({ on: /tags\/list\?page=2/ }, () => Response.json({ tags: ["two"] })),
    replace({ on: /tags\/list/ }, () => Response.json({ tags: ["one"] }, { headers: { Link: link } })),
  );
  return await listTags(impatientClient(), appOf(registry));
}
