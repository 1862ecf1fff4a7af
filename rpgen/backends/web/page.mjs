// One page holds the sessions of one execution provider. Python calls `rpgen.*`; models, inputs
// and outputs come and go as bytes over HTTP, so that no number is written as text on the way.
//
// What ONNX Runtime's verbose log says of the placement of nodes is kept for Python, and which
// kinds of them a provider can't take; the rest of the log is dropped.

const placements = [];
const lacking = new Set();

const LACKING = /Operator type: \[(\w+)\].*supported: \[0\]/;
const PLACED = /(All nodes|Node\(s\)) placed on \[(\w+)\]\. Number of nodes: (\d+)/;
const NODE = /VerifyEachNodeIsAssignedToAnEp\]\s+(\w+) \(/;
const PARTITIONS =
  /number of partitions supported by WebNN: (\d+) number of nodes in the graph: (\d+) number of nodes supported by WebNN: (\d+)/;

function listen(...said) {
  const line = said.map(String).join(" ");
  const placed = PLACED.exec(line);
  const partitions = PARTITIONS.exec(line);
  const node = NODE.exec(line);
  const unsupported = LACKING.exec(line);
  if (placed) {
    placements.push({ provider: placed[2], nodes: Number(placed[3]), kinds: {} });
  } else if (partitions) {
    const [parts, nodes, supported] = partitions.slice(1).map(Number);
    placements.push({ provider: "WebNN", parts, nodes, supported });
  } else if (unsupported) {
    lacking.add(unsupported[1]);
  } else if (node && placements.length) {
    const { kinds } = placements[placements.length - 1];
    if (kinds) kinds[node[1]] = (kinds[node[1]] ?? 0) + 1;
  }
}

for (const level of ["log", "info", "debug", "warn", "error"]) console[level] = listen;

const ort = await import("./ort.jspi.min.mjs");
ort.env.wasm.wasmPaths = new URL("./", import.meta.url).href;
ort.env.logLevel = "warning";

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: globalThis.Float16Array ?? Uint16Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

const up = (size) => Math.ceil(size / 8) * 8;

function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const heading = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = up(4 + length);
  const found = {};
  for (const { name, type, shape, offset, bytes } of heading) {
    const Kind = ARRAYS[type];
    const data = new Kind(buffer, start + offset, bytes / Kind.BYTES_PER_ELEMENT);
    found[name] = new ort.Tensor(type, data, shape);
  }
  return found;
}

async function encode(tensors) {
  const heading = [];
  const contents = [];
  let offset = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const data = await tensor.getData();
    const content = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    heading.push({ name, type: tensor.type, shape: tensor.dims, offset, bytes: content.length });
    contents.push([offset, content]);
    offset += up(content.length);
  }
  const words = new TextEncoder().encode(JSON.stringify(heading));
  const start = up(4 + words.length);
  const whole = new Uint8Array(start + offset);
  new DataView(whole.buffer).setUint32(0, words.length, true);
  whole.set(words, 4);
  for (const [at, content] of contents) whole.set(content, start + at);
  return whole;
}

async function fetched(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
  return answer.arrayBuffer();
}

const sessions = new Map();
let bytesLoaded = 0; // of models, since this page was opened

async function adapter() {
  if (!navigator.gpu) return { missing: "this browser has no navigator.gpu" };
  const found = await navigator.gpu.requestAdapter();
  if (!found) return { missing: "navigator.gpu gives no adapter" };
  const { vendor, architecture, device, description, isFallbackAdapter } = found.info;
  return { vendor, architecture, device, description, isFallbackAdapter };
}

async function machineLearning(deviceType) {
  if (!navigator.ml) return { missing: "this browser has no navigator.ml" };
  try {
    const context = await navigator.ml.createContext({ deviceType });
    context.destroy?.();
    return { accelerated: context.accelerated ?? null };
  } catch (error) {
    return { missing: `navigator.ml gives no context for ${deviceType}: ${error.message}` };
  }
}

async function prepare({ id, model, provider, options }) {
  placements.length = 0;
  lacking.clear();
  const started = performance.now();
  const content = new Uint8Array(await fetched(model));
  const loaded = performance.now();
  bytesLoaded += content.length;
  try {
    // One provider, so that there is nothing to fall back to where it can't be had.
    const session = await ort.InferenceSession.create(content, {
      executionProviders: [provider],
      logSeverityLevel: 0,
      ...options,
    });
    sessions.set(id, session);
    return {
      inputs: session.inputNames,
      fetchSeconds: (loaded - started) / 1000,
      createSeconds: (performance.now() - loaded) / 1000,
      placements: [...placements],
      threads: ort.env.wasm.numThreads ?? 1,
    };
  } catch (error) {
    return { error: `${error?.message ?? error}`, lacking: [...lacking] };
  }
}

async function run({ id, inputs, outputs }) {
  const session = sessions.get(id);
  if (!session) return { error: "this page has no such session" };
  const feeds = decode(await fetched(inputs));
  const started = performance.now();
  let found;
  try {
    found = await session.run(feeds);
    const body = await encode(found); // reading the outputs is when a GPU has really finished
    const seconds = (performance.now() - started) / 1000;
    const answer = await fetch(outputs, { method: "POST", body });
    if (!answer.ok) throw new Error(`${outputs} answered ${answer.status}`);
    return { seconds };
  } catch (error) {
    return { error: `${error?.message ?? error}` };
  } finally {
    for (const tensor of [...Object.values(feeds), ...Object.values(found ?? {})]) tensor.dispose();
  }
}

async function release({ id }) {
  const session = sessions.get(id);
  sessions.delete(id);
  await session?.release();
  return { left: sessions.size, bytesLoaded };
}

globalThis.rpgen = { adapter, machineLearning, prepare, run, release };
