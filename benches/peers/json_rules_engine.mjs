// `node json_rules_engine.mjs ROWS` in a folder with json-rules-engine in its node_modules: asks the condition of script/bench-rules about customers in memory.
// Its conditions cannot calculate, so the sum is a fact that it calculates, as its manual advises; facts of which each customer has one value are not kept.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { Engine } = createRequire(join(process.cwd(), "package.json"))("json-rules-engine");

const rows = readFileSync(process.argv[2], "utf8").trimEnd().split("\n").map((line) => {
  const [orders, r] = line.split(",").map(Number);
  return { orders, r };
});
const engine = new Engine();
engine.addFact("sum", async (_, almanac) => ((await almanac.factValue("orders")) * 7 + (await almanac.factValue("r"))) % 10, { cache: false });
engine.addRule({ conditions: { all: [{ fact: "sum", operator: "equal", value: 3 }] }, event: { type: "meant" } });

const begin = process.cpuUsage();
let found = 0;
for (const row of rows) {
  const { events } = await engine.run(row);
  found += events.length;
}
const { user, system } = process.cpuUsage(begin);
console.log(JSON.stringify({ side: "json-rules-engine (Node)", found, seconds: (user + system) / 1e6 }));
