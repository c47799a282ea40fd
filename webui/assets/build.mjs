// Builds the pages' style sheets, scripts, icons and fonts into ../static/branchline.
import { build } from "esbuild";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "static", "branchline");

const STROKE =
  'fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"';

/** One SVG with a <symbol> for each name in icons.txt, drawn from Tabler's outline icons. */
function sprite() {
  const names = readFileSync(join(here, "icons.txt"), "utf8").split("\n").filter(Boolean);
  const symbols = names.map((name) => {
    const file = join(here, "node_modules/@tabler/icons/icons/outline", `${name}.svg`);
    const inside = readFileSync(file, "utf8")
      .replace(/^[\s\S]*?<svg[^>]*>/, "")
      .replace(/<\/svg>\s*$/, "")
      .replace(/<path stroke="none"[^>]*>/, "")
      .replace(/\s+/g, " ")
      .trim();
    return `<symbol id="${name}" viewBox="0 0 24 24" ${STROKE}>${inside}</symbol>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`;
}

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

await build({
  absWorkingDir: here,
  entryPoints: {
    app: "ts/app.ts",
    phone: "ts/phone/page.ts",
    "phone-beside": "ts/phone-beside/beside.ts",
    "phone-check": "ts/phone-check/check.ts",
    theme: "ts/theme.ts",
    admin: "ts/admin.ts",
    style: "css/app.css",
    "admin-look": "css/admin.css",
  },
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome123", "firefox121", "safari17.5"], // the first with light-dark() and nesting
  loader: { ".woff2": "file" },
  assetNames: "fonts/[name]",
  legalComments: "none",
  logLevel: "warning",
});
writeFileSync(join(out, "icons.svg"), sprite());
cpSync(join(here, "favicon.svg"), join(out, "favicon.svg"));
