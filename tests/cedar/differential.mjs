// Asks the reference implementation (npm @cedar-policy/cedar-wasm) and ours (cedar-judge) the same
// about generated worlds, and compares every verdict: does the schema parse, do the policies, which
// of them are valid, do entities and requests conform, what is decided for which reasons with which
// errors; and that our JSON and our text of each policy mean the same.
//
//   node --no-opt differential.mjs --judge PATH [--seed N] [--requests N] [--seconds N]
//        [--noise PERCENT] [--per-world N] [--reference FOLDER-OF-node_modules]
// (--no-opt: V8's optimiser, in node 20, aborts with "unreachable code" after some thousand worlds.)
//
// The last line is "N requests, M disagreements". A disagreement prints the seed of its world;
// --seed with that number and --requests 1 runs that world alone.

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import readline from 'node:readline';
import { Generator } from './generate.mjs';

const options = { judge: '', seed: '1', requests: '20000', seconds: '0', noise: '3',
  'per-world': '25', reference: import.meta.dirname };
for (let i = 2; i + 1 < process.argv.length; i += 2) {
  const name = process.argv[i].replace(/^--/, '');
  if (!(name in options)) throw new Error(`unknown option --${name}`);
  options[name] = process.argv[i + 1];
}
const cedar = createRequire(options.reference + '/')('@cedar-policy/cedar-wasm/nodejs');

const shownMax = 10;

class Judge {
  constructor(path) {
    this.process = spawn(path, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.waiting = [];
    this.process.stdin.on('error', () => {}); // it died: its exit says so
    readline.createInterface({ input: this.process.stdout }).on('line', (line) => this.waiting.shift()(line));
    this.process.on('exit', (code) => { for (const done of this.waiting) done(JSON.stringify({ died: code })); });
  }
  ask(world) {
    return new Promise((done) => {
      this.waiting.push((line) => done(JSON.parse(line)));
      this.process.stdin.write(JSON.stringify(world) + '\n');
    });
  }
  stop() { this.process.stdin.end(); }
}

/// Adds to a world what only the reference can make: its schema as text, its policies as JSON.
function prepare(world, seed) {
  if (seed % 2 === 1) {
    const text = cedar.schemaToText(world.schema);
    if (text.type === 'success') world.schema = text.text;
  }
  world.json = {};
  const parts = cedar.policySetTextToParts(world.policies);
  if (parts.type !== 'success') return;
  // The parts are in the order of their ids as texts: policy0, policy1, policy10 ...
  const order = parts.policies.map((_, i) => `policy${i}`).sort();
  order.forEach((id, i) => {
    const { json } = cedar.policyToJson(parts.policies[i]);
    if (isExact(json)) world.json[id] = json;
  });
}

/// Whether no number lost digits on its way through JavaScript.
function isExact(json) {
  if (typeof json === 'number') return Number.isSafeInteger(json);
  return json === null || typeof json !== 'object' || Object.values(json).every(isExact);
}

/// The reference's verdicts, in the shape of ours.
function reference(world) {
  const answer = {};
  const schema = cedar.checkParseSchema(world.schema);
  answer.schema = { ok: schema.type === 'success', error: schema.errors?.[0]?.message };
  const set = { staticPolicies: world.policies, templates: world.templates, templateLinks: world.links };
  const parse = cedar.preparsePolicySet('set', set);
  answer.parse = { ok: parse.type === 'success', error: parse.errors?.[0]?.message };
  if (answer.schema.ok) cedar.preparseSchema('schema', world.schema);
  if (answer.parse.ok && answer.schema.ok) {
    const validation = cedar.validate({ schema: world.schema, policies: set });
    answer.invalid = {};
    for (const { policyId, error } of validation.validationErrors) answer.invalid[policyId] ??= error.message;
  }
  const entities = cedar.checkParseEntities({ entities: world.entities });
  answer.entities = { ok: entities.type === 'success', error: entities.errors?.[0]?.message };
  if (answer.schema.ok) {
    const conforms = cedar.checkParseEntities({ entities: world.entities, schema: world.schema });
    answer.conforms = { ok: conforms.type === 'success', error: conforms.errors?.[0]?.message };
  }
  if (answer.parse.ok && answer.entities.ok) answer.answers = world.requests.map((request) => ask(request, world, answer));
  return answer;
}

function ask(request, world, { schema }) {
  const call = { ...request, preparsedPolicySetId: 'set', entities: world.entities };
  const result = cedar.statefulIsAuthorized(call);
  if (result.type !== 'success') return { context: { ok: false, error: result.errors[0].message } };
  const { decision, diagnostics } = result.response;
  const answer = { decision, reasons: diagnostics.reason, errors: diagnostics.errors.map(({ policyId }) => policyId) };
  if (schema.ok) {
    const checked = cedar.statefulIsAuthorized({ ...request, preparsedPolicySetId: 'set', entities: [],
      preparsedSchemaName: 'schema', validateRequest: true });
    answer.conforms = { ok: checked.type === 'success', error: checked.errors?.[0]?.message };
  }
  return answer;
}

/// JSON policies mean the same though a pattern may be in more pieces, and keys in another order.
function normal(json) {
  if (Array.isArray(json)) return json.map(normal);
  if (json === null || typeof json !== 'object') return json;
  const out = {};
  for (const name of Object.keys(json).sort()) out[name] = normal(json[name]);
  // A list of one action, and that action alone.
  if (out.op === 'in' && out.entities?.length === 1) {
    out.entity = out.entities[0];
    delete out.entities;
    return normal(out);
  }
  if (Array.isArray(out.pattern)) {
    const merged = [];
    for (const part of out.pattern) {
      const last = merged[merged.length - 1];
      if (part === 'Wildcard') { if (last !== 'Wildcard') merged.push(part); }
      else if (last && last !== 'Wildcard') last.Literal += part.Literal;
      else merged.push({ Literal: part.Literal });
    }
    out.pattern = merged;
  }
  return out;
}

class Comparison {
  disagreements = 0;
  counts = { worlds: 0, requests: 0, schemas: 0, policies: 0, valid: 0, conforming: 0, allowed: 0, erring: 0 };

  note(seed, what, ours, theirs, world) {
    this.disagreements++;
    if (this.disagreements > shownMax) return;
    console.log(`seed ${seed}: ${what}\n  ours:   ${JSON.stringify(ours)}\n  theirs: ${JSON.stringify(theirs)}`);
    if (world) console.log(`  world:  ${JSON.stringify(world)}`);
  }

  world(seed, world, ours, theirs) {
    this.counts.worlds++;
    for (const what of ['schema', 'parse', 'entities', 'conforms']) {
      if (ours[what]?.ok !== theirs[what]?.ok) this.note(seed, what, ours[what], theirs[what], this.relevant(what, world));
    }
    if (theirs.schema.ok) this.counts.schemas++;
    if (ours.invalid && theirs.invalid) this.validity(seed, world, ours, theirs);
    (theirs.answers ?? []).forEach((their, i) => this.answer(seed, world, i, ours.answers?.[i] ?? {}, their));
    if (theirs.parse.ok) this.forms(seed, world, ours.forms ?? []);
  }

  relevant(what, world) {
    if (what === 'schema') return world.schema;
    if (what === 'parse') return { policies: world.policies, templates: world.templates, links: world.links };
    return { schema: world.schema, entities: world.entities };
  }

  validity(seed, world, ours, theirs) {
    const all = new Set([...Object.keys(ours.invalid), ...Object.keys(theirs.invalid)]);
    for (const id of all) {
      if ((id in ours.invalid) === (id in theirs.invalid)) continue;
      this.note(seed, `validity of ${id}`, ours.invalid[id] ?? 'valid', theirs.invalid[id] ?? 'valid',
        { schema: world.schema, policies: world.policies, templates: world.templates, links: world.links });
    }
    const count = (ours.forms?.length ?? 0) + Object.keys(world.templates).length + world.links.length;
    this.counts.policies += count;
    this.counts.valid += count - Object.keys(theirs.invalid).length;
  }

  answer(seed, world, at, ours, theirs) {
    this.counts.requests++;
    if (theirs.decision === 'allow') this.counts.allowed++;
    if (theirs.errors?.length > 0) this.counts.erring++;
    if (theirs.conforms?.ok) this.counts.conforming++;
    const same = (a = [], b = []) => JSON.stringify([...a].sort()) === JSON.stringify([...b].sort());
    if (ours.decision !== theirs.decision || !same(ours.reasons, theirs.reasons) || !same(ours.errors, theirs.errors)) {
      this.note(seed, `request ${at}`, ours, theirs, { ...world, requests: [world.requests[at]] });
    } else if (ours.conforms?.ok !== theirs.conforms?.ok) {
      this.note(seed, `conformance of request ${at}`, ours.conforms, theirs.conforms, { schema: world.schema, request: world.requests[at] });
    }
  }

  /// Our JSON of each policy, read from text and from the reference's JSON; and our texts of it.
  forms(seed, world, forms) {
    for (const form of forms) {
      if (!(form.id in world.json)) continue;
      const wanted = JSON.stringify(normal(world.json[form.id]));
      for (const [what, got] of [['our JSON', form.json], ['our reading of JSON', form.again],
        ['our text', cedar.policyToJson(form.text).json], ['our layout', cedar.policyToJson(form.formatted).json]]) {
        const text = JSON.stringify(normal(got ?? null));
        if (text !== wanted) this.note(seed, `${what} of ${form.id}`, text, wanted, form.text);
      }
    }
  }
}

// Whoever stops a long run still learns how far it came.
let stopped = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { stopped = true; });

const judge = new Judge(options.judge);
const comparison = new Comparison();
const start = Date.now();
const first = Number(options.seed);
console.log(`seeds from ${first}, reference ${cedar.getCedarVersion()}`);
for (let seed = first; ; seed++) {
  const enough = comparison.counts.requests >= Number(options.requests);
  const late = Number(options.seconds) > 0 && Date.now() - start > Number(options.seconds) * 1000;
  if (enough || late || stopped) break;
  const world = new Generator(seed, { noise: Number(options.noise) }).world(Number(options['per-world']));
  prepare(world, seed);
  const ours = await judge.ask(world);
  if ('died' in ours || 'broken' in ours) {
    comparison.note(seed, 'the judge died', ours, {}, world);
    break;
  }
  comparison.world(seed, world, ours, reference(world));
}
judge.stop();
const seconds = ((Date.now() - start) / 1000).toFixed(0);
if (stopped) console.log('stopped before the end');
console.log(`${JSON.stringify(comparison.counts)} in ${seconds} s`);
console.log(`${comparison.counts.requests} requests, ${comparison.disagreements} disagreements`);
process.exitCode = comparison.disagreements === 0 ? 0 : 1;
