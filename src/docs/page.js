// Reads the OpenAPI document and lists its calls. Text only ever becomes text nodes.
const calls = document.getElementById('calls');
const filter = document.getElementById('filter');

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** A schema as a person would write the JSON. */
function sketch(schema, all, depth = 0) {
  if (!schema || depth > 4) return '…';
  if (schema.$ref) {
    const name = schema.$ref.split('/').pop();
    return sketch(all[name], all, depth + 1);
  }
  const some = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (some) return some.map((one) => sketch(one, all, depth + 1)).join(' | ');
  if (schema.enum) return schema.enum.map((word) => JSON.stringify(word)).join(' | ');
  const types = [schema.type ?? 'any'].flat();
  if (types.includes('array')) return `[${sketch(schema.items, all, depth + 1)}]`;
  if (types.includes('object') && schema.properties) {
    const inside = '  '.repeat(depth + 1);
    const rows = Object.entries(schema.properties).map(([key, value]) => {
      const optional = schema.required?.includes(key) ? '' : '?';
      return `${inside}${key}${optional}: ${sketch(value, all, depth + 1)}`;
    });
    return `{\n${rows.join(',\n')}\n${'  '.repeat(depth)}}`;
  }
  return types.join(' | ');
}

function block(title, schema, all) {
  return [element('div', '', title), element('pre', '', sketch(schema, all))];
}

function call(method, path, operation, all) {
  const summary = element(
    'summary',
    '',
    element('span', 'method', method.toUpperCase()),
    element('span', 'path', path),
    element('span', 'says', operation.summary ?? ''),
  );
  const more = element('div', 'more');
  for (const parameter of operation.parameters ?? []) {
    const says = parameter.description ? ` · ${parameter.description}` : '';
    more.append(element('div', '', `${parameter.in} ${parameter.name}${says}`));
  }
  const body = operation.requestBody?.content?.['application/json']?.schema;
  if (body) more.append(...block('Body', body, all));
  for (const [status, answer] of Object.entries(operation.responses ?? {})) {
    const schema = answer.content?.['application/json']?.schema;
    if (schema && Number(status) < 400) more.append(...block(`${status} ${answer.description}`, schema, all));
    else more.append(element('div', '', `${status} ${answer.description}`));
  }
  const details = element('details', '', summary, more);
  details.dataset.words = `${method} ${path} ${operation.summary ?? ''}`.toLowerCase();
  return details;
}

function show(doc) {
  const all = doc.components?.schemas ?? {};
  const groups = new Map();
  for (const [path, methods] of Object.entries(doc.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? 'api';
      if (!groups.has(tag)) groups.set(tag, element('section', '', element('h2', '', tag)));
      groups.get(tag).append(call(method, path, operation, all));
    }
  }
  calls.replaceChildren(...groups.values());
}

filter.addEventListener('input', () => {
  const wanted = filter.value.toLowerCase();
  for (const section of calls.querySelectorAll('section')) {
    let some = false;
    for (const one of section.querySelectorAll('details')) {
      one.hidden = !one.dataset.words.includes(wanted);
      some ||= !one.hidden;
    }
    section.hidden = !some;
  }
});

try {
  const answer = await fetch('/api/openapi.json');
  show(await answer.json());
} catch {
  calls.replaceChildren(element('p', '', 'The document could not be loaded.'));
}
