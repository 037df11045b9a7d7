// Worlds that a seed decides: a schema, policies and templates mostly typed by it, entities and
// requests mostly conforming to it. "Mostly": `noise` percent of the parts are something else, so
// that the refusals are compared too.

import { Random } from './random.mjs';

const words = ['a', 'b', 'name', 'x y', 'if', 'é', 'tenant'];
const ids = ['a', 'b', 'c', '', 'Ü"\\', 'a*b'];
const texts = ['', 'a', 'ab', 'aab', 'a*b', 'é', 'line\nbreak', 'User', '\u0000', '1.2.3.4'];
const longs = ['0', '1', '-1', '2', '3', '10', '9223372036854775807', '-9223372036854775808',
  '4611686018427387904'];
const ips = ['1.2.3.4', '10.0.0.0/8', '127.0.0.1', '::1', 'ff00::/8', '1.2.3.4/32', '224.0.0.1', '1.2.3',
  'x', '1.2.3.4/33', '::ffff:1.2.3.4', '0.0.0.0/0'];
const decimals = ['0.0', '1.5', '-1.5', '922337203685477.5807', '-922337203685477.5808', '1.12345', '1', '0.0001'];
const datetimes = ['2024-01-01', '1970-01-01', '2024-02-29T12:34:56Z', '2024-02-29T12:34:56.789Z',
  '2024-01-01T00:00:00+0130', '2023-02-29', '2024-01-01T24:00:00Z', '0000-01-01', '9999-12-31T23:59:59.999Z'];
const durations = ['1h', '-1d2h3m4s5ms', '0ms', '1ms', '9223372036854775807ms', '1h1d', '', '100d', '-1h'];

const quoted = (text) => JSON.stringify(text).replace(/\\u([0-9a-f]{4})/g, (_, hex) =>
  hex === '0000' ? '\\0' : `\\u{${hex}}`).replace(/\\b/g, '\\u{8}').replace(/\\f/g, '\\u{c}');
const isName = (text) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) &&
  !['if', 'then', 'else', 'true', 'false', 'in', 'is', 'has', 'like', '__cedar'].includes(text);
const key = (name) => (isName(name) ? name : quoted(name));
const uidText = (uid) => `${uid.type}::${quoted(uid.id)}`;

/// A model of the schema: what is declared, with full names.
class Model {
  entities = new Map(); // name -> {attributes: Map(name -> {type, required}), tags, ids, parents}
  actions = [];         // {type, id, parents, principals, resources, context}
}

export class Generator {
  constructor(seed, { noise = 3 } = {}) {
    this.random = new Random(seed);
    this.noise = noise;
  }

  world(requestCount) {
    this.model = new Model();
    const schema = this.schema();
    const policyCount = this.random.between(2, 8);
    const policies = [];
    for (let i = 0; i < policyCount; i++) policies.push(this.policy(false));
    const templates = {};
    const links = [];
    if (this.random.chance(30)) {
      for (let i = 0; i < this.random.between(1, 2); i++) this.template(i, templates, links);
    }
    const entities = this.entities();
    const requests = [];
    for (let i = 0; i < requestCount; i++) requests.push(this.request());
    return { schema, policies: policies.join('\n'), templates, links, entities, requests };
  }

  // ---- schema ----

  schema() {
    const spaces = this.random.chance(40) ? ['', 'N'] : [this.random.chance(80) ? '' : 'N::M'];
    const names = spaces.flatMap((space, i) => ['A', 'B', 'C', 'D'].map((name) => ({ space, name: i ? name + '2' : name })))
      .slice(0, this.random.between(3, 7));
    this.names = names.map(({ space, name }) => (space ? `${space}::${name}` : name));
    const json = {};
    for (const space of spaces) json[space] = { entityTypes: {}, actions: {} };
    this.commons(json, spaces);
    names.forEach(({ space, name }, i) => {
      json[space].entityTypes[name] = this.entityType(this.names[i]);
    });
    for (const space of spaces) this.actions(json, space);
    return this.random.chance(this.noise) ? this.damaged(json) : json;
  }

  commons(json, spaces) {
    this.commonTypes = [];
    if (!this.random.chance(50)) return;
    const space = this.random.pick(spaces);
    const record = this.recordType(1);
    json[space].commonTypes = { Common: this.typeJson(record) };
    this.commonTypes.push({ ref: space ? `${space}::Common` : 'Common', type: record });
  }

  entityType(name) {
    const { random } = this;
    if (random.chance(12)) {
      const choices = ['a', 'b', 'red'].slice(0, random.between(1, 3));
      this.model.entities.set(name, { attributes: new Map(), ids: choices, parents: [] });
      return { enum: choices };
    }
    const shape = this.recordType(2);
    const parents = random.some(this.names, 25);
    const made = { attributes: shape.attributes, tags: random.chance(40) ? this.type(1) : undefined, parents };
    this.model.entities.set(name, made);
    const json = { memberOfTypes: parents, shape: this.typeJson(shape) };
    if (made.tags) json.tags = this.typeJson(made.tags);
    return json;
  }

  recordType(depth) {
    const attributes = new Map();
    for (const name of this.random.some(words, 45)) {
      attributes.set(name, { type: this.type(depth), required: this.random.chance(60) });
    }
    return { kind: 'record', attributes };
  }

  type(depth) {
    const { random } = this;
    const kind = random.pick(depth > 0
      ? ['bool', 'long', 'string', 'entity', 'entity', 'set', 'record', 'ip', 'decimal', 'datetime', 'duration']
      : ['bool', 'long', 'string', 'entity', 'ip', 'decimal', 'datetime', 'duration']);
    if (kind === 'set') return { kind, element: this.type(depth - 1) };
    if (kind === 'record') return this.recordType(depth - 1);
    if (kind === 'entity') return { kind, name: random.pick(this.names) };
    return { kind };
  }

  typeJson(type) {
    switch (type.kind) {
      case 'bool': return { type: 'Boolean' };
      case 'long': return { type: 'Long' };
      case 'string': return { type: 'String' };
      case 'entity': return { type: this.random.chance(50) ? 'Entity' : 'EntityOrCommon', name: type.name };
      case 'set': return { type: 'Set', element: this.typeJson(type.element) };
      case 'record': {
        const attributes = {};
        for (const [name, { type: inner, required }] of type.attributes) {
          attributes[name] = { ...this.typeJson(inner), ...(required ? {} : { required: false }) };
        }
        return { type: 'Record', attributes };
      }
      default: return { type: 'Extension', name: type.kind === 'ip' ? 'ipaddr' : type.kind };
    }
  }

  actions(json, space) {
    const { random } = this;
    const type = space ? `${space}::Action` : 'Action';
    const suffix = space ? '' : '0';
    const groups = ['read', 'all'].map((id) => id + suffix);
    json[space].actions[groups[1]] = {};
    json[space].actions[groups[0]] = random.chance(50) ? { memberOf: [{ id: groups[1] }] } : {};
    this.model.actions.push({ type, id: groups[1], parents: [], principals: [], resources: [] },
      { type, id: groups[0], parents: json[space].actions[groups[0]].memberOf ? [{ type, id: groups[1] }] : [], principals: [], resources: [] });
    for (const name of ['view', 'edit', 'x y'].slice(0, random.between(1, 3))) {
      const id = name + suffix;
      const parents = random.some(groups, 50);
      const action = { type, id, parents: parents.map((parent) => ({ type, id: parent })), principals: [], resources: [] };
      const declared = { memberOf: parents.map((parent) => ({ id: parent })) };
      if (random.chance(90)) {
        action.principals = this.atLeastOne(this.names);
        action.resources = this.atLeastOne(this.names);
        const common = this.commonTypes.length > 0 && random.chance(30) ? random.pick(this.commonTypes) : undefined;
        action.context = common ? common.type : this.recordType(2);
        declared.appliesTo = { principalTypes: action.principals, resourceTypes: action.resources,
          context: common ? { type: common.ref } : this.typeJson(action.context) };
      }
      json[space].actions[id] = declared;
      this.model.actions.push(action);
    }
  }

  atLeastOne(list) {
    const some = this.random.some(list, 40);
    return some.length > 0 ? some : [this.random.pick(list)];
  }

  /// The schema with one thing that may be wrong.
  damaged(json) {
    const { random } = this;
    const space = random.pick(Object.keys(json));
    const entity = random.pick(Object.keys(json[space].entityTypes).concat(['New']));
    const types = json[space].entityTypes;
    switch (random.below(12)) {
      case 0: types[entity] = { memberOfTypes: ['Nowhere'] }; break;
      case 1: types[entity] = { shape: { type: 'Record', attributes: { q: { type: 'Nowhere' } } } }; break;
      case 2: types.String = {}; break;
      case 3: types.Action = {}; break;
      case 4: json[space].commonTypes = { Long: { type: 'String' } }; break;
      case 5: json[space].commonTypes = { P: { type: 'Q' }, Q: { type: 'P' } }; break;
      case 6: json[space].actions.loop = { memberOf: [{ id: 'loop' }] }; break;
      case 7: json[space].actions.odd = { appliesTo: { principalTypes: ['Action'], resourceTypes: [] } }; break;
      case 8: json.Other = { entityTypes: { [entity]: {} }, actions: {} }; break;
      case 9: types[entity] = { shape: { type: 'Long' } }; break;
      case 10: types[entity] = { shape: { type: 'Record', attributes: { q: { type: 'Bool' }, r: { type: '__cedar::Long' } } } }; break;
      default: types[entity] = { unknown: true };
    }
    return json;
  }

  // ---- policies ----

  entityUid(name) {
    const known = this.model.entities.get(name);
    const id = known?.ids && !this.random.chance(this.noise) ? this.random.pick(known.ids) : this.random.pick(ids);
    return { type: name, id };
  }

  anyUid() {
    if (this.random.chance(this.noise)) return { type: 'Nowhere', id: 'a' };
    return this.entityUid(this.random.pick(this.names));
  }

  scope(variable, slot) {
    const { random } = this;
    const entity = () => (slot ? `?${variable}` : uidText(this.anyUid()));
    const kind = slot ? random.pick(['==', 'in', 'is in']) : random.pick(['', '', '', '', '', '', '==', 'in', 'is', 'is', 'is in']);
    const type = random.chance(this.noise) ? 'Nowhere' : random.pick(this.names);
    switch (kind) {
      case '': return { text: variable };
      case '==': return { text: `${variable} == ${entity()}` };
      case 'in': return { text: `${variable} in ${entity()}` };
      case 'is': return { text: `${variable} is ${type}`, type };
      default: return { text: `${variable} is ${type} in ${entity()}`, type };
    }
  }

  actionUid() {
    if (this.random.chance(this.noise)) return { type: 'Action', id: 'nothing' };
    const { type, id } = this.random.pick(this.model.actions);
    return { type, id };
  }

  actionScope() {
    const { random } = this;
    switch (random.below(5)) {
      case 0: return { text: 'action' };
      case 1: return { text: `action in ${uidText(this.actionUid())}` };
      case 2: {
        const list = Array.from({ length: random.between(random.chance(5) ? 0 : 1, 3) }, () => this.actionUid());
        return { text: `action in [${list.map(uidText).join(', ')}]` };
      }
      default: {
        const action = random.pick(this.model.actions);
        return { text: `action == ${uidText(action)}`, action };
      }
    }
  }

  policy(slots) {
    const { random } = this;
    const principal = this.scope('principal', slots && slots.principal);
    const action = this.actionScope();
    const resource = this.scope('resource', slots && slots.resource);
    // What the conditions are typed for: one kind of request that the head may cover.
    const applicable = this.model.actions.filter((one) => one.principals.length > 0);
    const typical = action.action?.principals.length > 0 ? action.action : applicable.length > 0 ? random.pick(applicable) : undefined;
    this.scopeTypes = {
      principal: principal.type ?? (typical ? random.pick(typical.principals) : random.pick(this.names)),
      resource: resource.type ?? (typical ? random.pick(typical.resources) : random.pick(this.names)),
      context: typical?.context ?? { kind: 'record', attributes: new Map() },
    };
    let text = random.chance(20) ? `@note(${quoted(random.pick(texts))})\n` : '';
    text += random.chance(68) ? 'permit' : 'forbid';
    text += ` (${principal.text}, ${action.text}, ${resource.text})`;
    for (let i = random.pick([0, 1, 1, 1, 2]); i > 0; i--) {
      text += ` ${random.chance(75) ? 'when' : 'unless'} { ${this.expression({ kind: 'bool' }, 3)} }`;
    }
    return text + ';';
  }

  template(index, templates, links) {
    const { random } = this;
    const id = `t${index}`;
    const slots = { principal: random.chance(70), resource: random.chance(50) };
    if (!slots.principal && !slots.resource) slots.principal = true;
    templates[id] = `@id("${id}")\n` + this.policy(slots);
    for (let i = random.below(3); i > 0; i--) {
      const values = {};
      if (slots.principal) values['?principal'] = this.anyUid();
      if (slots.resource) values['?resource'] = this.anyUid();
      links.push({ templateId: id, newId: `l${index}-${i}`, values });
    }
  }

  // ---- expressions ----

  /// Of that type, mostly.
  expression(type, depth) {
    const { random } = this;
    if (random.chance(this.noise / 2)) type = this.type(1);
    if (depth > 0 && random.chance(8)) {
      return `(if ${this.expression({ kind: 'bool' }, depth - 1)} then ${this.expression(type, depth - 1)} else ${this.expression(type, depth - 1)})`;
    }
    if (random.chance(45)) {
      const path = this.path(type);
      if (path) return path;
    }
    switch (type.kind) {
      case 'bool': return this.bool(depth);
      case 'long': return this.long(depth);
      case 'string': return quoted(random.pick(texts));
      case 'entity': return uidText(this.entityUid(type.name));
      case 'set': return this.set(type, depth);
      case 'record': return this.record(type, depth);
      default: return this.extension(type.kind, depth);
    }
  }

  /// Ways from the variables to something of that type, over attributes and tags.
  path(wanted) {
    const found = [];
    const walk = (text, type, guards, depth) => {
      if (this.sameType(type, wanted)) found.push({ text, guards });
      if (depth === 0) return;
      const attributes = type.kind === 'record' ? type.attributes
        : type.kind === 'entity' ? this.model.entities.get(type.name)?.attributes : undefined;
      for (const [name, attribute] of attributes ?? []) {
        const next = isName(name) ? `${text}.${name}` : `${text}[${quoted(name)}]`;
        const guard = `${text} has ${key(name)}`;
        walk(next, attribute.type, attribute.required ? guards : [...guards, guard], depth - 1);
      }
      const tags = type.kind === 'entity' ? this.model.entities.get(type.name)?.tags : undefined;
      if (tags) {
        walk(`${text}.getTag("a")`, tags, [...guards, `${text}.hasTag("a")`], depth - 1);
      }
    };
    walk('principal', { kind: 'entity', name: this.scopeTypes.principal }, [], 2);
    walk('resource', { kind: 'entity', name: this.scopeTypes.resource }, [], 2);
    walk('context', this.scopeTypes.context, [], 3);
    if (found.length === 0) return undefined;
    const { text, guards } = this.random.pick(found);
    if (guards.length === 0 || this.random.chance(this.noise * 3)) return text;
    const guard = guards.join(' && ');
    if (wanted.kind === 'bool') return `(${guard} && ${text})`;
    return `(if ${guard} then ${text} else ${this.literal(wanted)})`;
  }

  sameType(a, b) {
    if (a.kind !== b.kind) return false;
    if (a.kind === 'entity') return a.name === b.name;
    if (a.kind === 'set') return this.sameType(a.element, b.element);
    if (a.kind !== 'record') return true;
    return a.attributes.size === b.attributes.size && [...a.attributes].every(([name, { type, required }]) => {
      const other = b.attributes.get(name);
      return other && other.required === required && this.sameType(type, other.type);
    });
  }

  literal(type) {
    return this.expression(type, 0);
  }

  bool(depth) {
    const { random } = this;
    if (depth <= 0) return random.pick(['true', 'false']);
    const deeper = (type) => this.expression(type, depth - 1);
    const any = () => this.type(1);
    const entity = () => ({ kind: 'entity', name: random.pick([this.scopeTypes.principal, this.scopeTypes.resource, ...this.names]) });
    switch (random.below(17)) {
      case 0: case 1: { const type = any(); return `${this.operand(type, depth)} ${random.pick(['==', '!='])} ${this.operand(type, depth)}`; }
      case 2: { const type = { kind: random.pick(['long', 'long', 'datetime', 'duration']) };
        return `${this.operand(type, depth)} ${random.pick(['<', '<=', '>', '>='])} ${this.operand(type, depth)}`; }
      case 3: case 4: return `(${deeper({ kind: 'bool' })} && ${deeper({ kind: 'bool' })}${random.chance(30) ? ' && ' + deeper({ kind: 'bool' }) : ''})`;
      case 5: case 6: return `(${deeper({ kind: 'bool' })} || ${deeper({ kind: 'bool' })})`;
      case 7: return `!(${deeper({ kind: 'bool' })})`;
      case 8: return this.membership(depth, entity);
      case 9: return `${this.operand(entity(), depth)} is ${random.chance(this.noise) ? 'Nowhere' : random.pick(this.names)}` +
        (random.chance(40) ? ` in ${this.operand(entity(), depth)}` : '');
      case 10: return this.has(depth);
      case 11: return `${this.operand(entity(), depth)}.hasTag(${random.pick(['"a"', '"b"', deeper({ kind: 'string' })])})`;
      case 12: return `${this.operand({ kind: 'string' }, depth)} like ${random.pick(['"a*"', '"*b"', '"*"', '"a\\**"', '""', '"é*"'])}`;
      case 13: { const element = any(); const set = this.operand({ kind: 'set', element }, depth);
        return random.chance(50) ? `${set}.contains(${deeper(element)})`
          : `${set}.${random.pick(['containsAll', 'containsAny'])}(${deeper({ kind: 'set', element })})`; }
      case 14: return `${this.operand({ kind: 'set', element: any() }, depth)}.isEmpty()`;
      case 15: return random.chance(60)
        ? `${this.operand({ kind: 'ip' }, depth)}.${random.pick(['isIpv4()', 'isIpv6()', 'isLoopback()', 'isMulticast()'])}`
        : `${this.operand({ kind: 'ip' }, depth)}.isInRange(${deeper({ kind: 'ip' })})`;
      default: return `${this.operand({ kind: 'decimal' }, depth)}.${random.pick(['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual'])}(${deeper({ kind: 'decimal' })})`;
    }
  }

  /// In parentheses where its place needs them.
  operand(type, depth) {
    const text = this.expression(type, depth - 1);
    return /^[A-Za-z_][A-Za-z0-9_.]*$|^".*"$|^\(.*\)$/s.test(text) && !/[)"] .* [("]/s.test(text) ? text : `(${text})`;
  }

  membership(depth, entity) {
    const { random } = this;
    if (random.chance(15)) {
      const list = Array.from({ length: random.between(1, 2) }, () => uidText(this.actionUid()));
      return `action in ${random.chance(50) ? list[0] : `[${list.join(', ')}]`}`;
    }
    const right = random.chance(60) ? this.operand(entity(), depth)
      : `[${Array.from({ length: random.between(1, 3) }, () => this.expression(entity(), 0)).join(', ')}]`;
    return `${this.operand(entity(), depth)} in ${right}`;
  }

  has(depth) {
    const { random } = this;
    const on = random.pick(['principal', 'resource', 'context', this.operand({ kind: 'entity', name: random.pick(this.names) }, depth)]);
    const name = random.pick([...words, 'nothing']);
    if (!isName(name) || random.chance(60)) return `${on} has ${key(name)}`;
    return `${on} has ${name}.${random.pick(words.filter(isName))}`;
  }

  long(depth) {
    const { random } = this;
    if (depth <= 0 || random.chance(40)) return random.pick(longs);
    if (random.chance(15)) return `-(${this.expression({ kind: 'long' }, depth - 1)})`;
    if (random.chance(20)) {
      return `${this.operand({ kind: 'duration' }, depth)}.${random.pick(['toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays'])}()`;
    }
    const one = this.operand({ kind: 'long' }, depth);
    const other = this.operand({ kind: 'long' }, depth);
    return `(${one} ${random.pick(['+', '-', '*'])} ${other})`;
  }

  set(type, depth) {
    const count = this.random.below(this.random.chance(10) ? 1 : 4) || (this.random.chance(90) ? 1 : 0);
    return `[${Array.from({ length: count }, () => this.expression(type.element, depth - 1)).join(', ')}]`;
  }

  record(type, depth) {
    const parts = [];
    for (const [name, { type: inner, required }] of type.attributes) {
      if (required || this.random.chance(50)) parts.push(`${key(name)}: ${this.expression(inner, depth - 1)}`);
    }
    return `{${parts.join(', ')}}`;
  }

  extension(kind, depth) {
    const { random } = this;
    if (depth > 0 && random.chance(25)) {
      if (kind === 'datetime') {
        return random.chance(60)
          ? `${this.operand({ kind }, depth)}.offset(${this.expression({ kind: 'duration' }, depth - 1)})`
          : `${this.operand({ kind }, depth)}.toDate()`;
      }
      if (kind === 'duration') {
        return random.chance(50) ? `${this.operand({ kind: 'datetime' }, depth)}.toTime()`
          : `${this.operand({ kind: 'datetime' }, depth)}.durationSince(${this.expression({ kind: 'datetime' }, depth - 1)})`;
      }
    }
    return `${kind}(${quoted(this.extensionText(kind))})`;
  }

  extensionText(kind) {
    const all = { ip: ips, decimal: decimals, datetime: datetimes, duration: durations }[kind];
    // The first are well formed, the rest are not all.
    return this.random.chance(80) ? all[this.random.below(4)] : this.random.pick(all);
  }

  // ---- data ----

  value(type) {
    const { random } = this;
    if (random.chance(this.noise / 3)) type = this.type(1);
    switch (type.kind) {
      case 'bool': return random.chance(50);
      case 'long': return random.between(-3, 10);
      case 'string': return random.pick(texts);
      case 'entity': return { __entity: this.entityUid(type.name) };
      case 'set': return Array.from({ length: random.below(4) }, () => this.value(type.element));
      case 'record': return this.recordValue(type.attributes);
      default: {
        // A bad text would make all entities of the world unreadable.
        const all = { ip: ips, decimal: decimals, datetime: datetimes, duration: durations }[type.kind];
        return { __extn: { fn: type.kind, arg: random.chance(0.2) ? random.pick(all) : all[random.below(4)] } };
      }
    }
  }

  recordValue(attributes) {
    const value = {};
    for (const [name, { type, required }] of attributes) {
      if (random_has(this, required)) value[name] = this.value(type);
    }
    if (this.random.chance(this.noise / 2)) value.extra = 1;
    return value;
  }

  entities() {
    const list = [];
    const made = [];
    for (const [name, type] of this.model.entities) {
      for (const id of type.ids ?? this.random.some(ids, 50)) made.push({ type: name, id });
    }
    made.forEach((uid, at) => {
      const type = this.model.entities.get(uid.type);
      // Only those before it can be its parents, so that there is no cycle.
      const parents = made.slice(0, at).filter((other) =>
        (type.parents.includes(other.type) || this.random.chance(this.noise / 4)) && this.random.chance(40));
      const entity = { uid, attrs: this.recordValue(type.attributes), parents };
      if (type.tags && this.random.chance(70)) {
        entity.tags = {};
        for (const tag of this.random.some(['a', 'b'], 60)) entity.tags[tag] = this.value(type.tags);
      }
      list.push(entity);
    });
    for (const { type, id, parents } of this.model.actions) {
      const above = new Map();
      const climb = (all) => all.forEach((parent) => {
        above.set(parent.id, parent);
        climb(this.model.actions.find((one) => one.type === parent.type && one.id === parent.id)?.parents ?? []);
      });
      climb(parents);
      list.push({ uid: { type, id }, attrs: {}, parents: [...above.values()] });
    }
    return list;
  }

  request() {
    const { random } = this;
    const applicable = this.model.actions.filter((one) => one.principals.length > 0);
    const action = applicable.length > 0 && !random.chance(this.noise) ? random.pick(applicable) : random.pick(this.model.actions);
    const of = (types) => this.entityUid(types.length > 0 && !random.chance(this.noise) ? random.pick(types) : random.pick(this.names));
    return {
      principal: of(action.principals), action: { type: action.type, id: action.id }, resource: of(action.resources),
      context: this.recordValue(action.context?.attributes ?? new Map()),
    };
  }
}

function random_has(generator, required) {
  return required ? !generator.random.chance(generator.noise / 3) : generator.random.chance(55);
}
