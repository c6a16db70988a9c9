// Opens a trace with the engine of Chrome's DevTools; prints what it made of the process, its lanes and their bars.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [, , folder, file] = process.argv;
const main = path.join(folder, "node_modules/@paulirish/trace_engine/models/trace/trace.js");
const engine = await import(pathToFileURL(main));
const events = JSON.parse(fs.readFileSync(file, "utf8")).traceEvents;
const processor = engine.Processor.TraceProcessor.createWithAllHandlers();
await processor.parse(events, { isFreshRecording: false });
const { Meta, Renderer } = processor.parsedTrace ?? processor.data;
const lanes = {};
for (const [, { threads }] of Renderer.processes) {
  for (const [, thread] of threads) {
    lanes[thread.name] = thread.entries.map((entry) => [entry.name, entry.ts, entry.dur]);
  }
}
console.log(JSON.stringify({ process: [...Meta.processNames.values()].map((event) => event.args.name), lanes }));
