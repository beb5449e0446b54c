// Settings against their table: `{ maxLag: { default: 100, min: 0 } }`. The default says the type.

const kind = (value) => (Array.isArray(value) ? 'list' : typeof value);

const expected = { number: 'a whole number', string: 'a text', boolean: 'true or false', list: 'a list' };

/** What is wrong with one value; undefined where nothing is. */
function wrong(value, rule) {
  const wanted = kind(rule.default);
  if (kind(value) !== wanted || (wanted === 'number' && !rule.fractions && !Number.isInteger(value))) {
    return `expected ${wanted === 'number' && rule.fractions ? 'a number' : (expected[wanted] ?? wanted)}, not ${JSON.stringify(value)}`;
  }
  const { min = -Infinity, max = Infinity, oneOf } = rule;
  if (wanted === 'number' && (value < min || value > max)) {
    if (max === Infinity) return `${value} is less than ${min}`;
    if (min === -Infinity) return `${value} is more than ${max}`;
    return `${value} is not in ${min} to ${max}`;
  }
  if (oneOf && !oneOf.includes(value)) return `${JSON.stringify(value)} is not one of ${oneOf.join(', ')}`;
  return undefined;
}

/** The settings with their defaults, and everything that is wrong with them. */
export function read(json, table) {
  let given;
  try {
    given = JSON.parse(json);
  } catch (error) {
    return { values: {}, problems: [{ path: '', message: `not JSON: ${error.message}` }] };
  }
  if (kind(given) !== 'object' || given === null) return { values: {}, problems: [{ path: '', message: 'expected a JSON object' }] };
  const names = Object.keys(table);
  const values = Object.fromEntries(names.map((name) => [name, table[name].default]));
  const problems = [];
  for (const [name, value] of Object.entries(given)) {
    if (!names.includes(name)) {
      const known = names.length ? `expected one of ${names.map((n) => `\`${n}\``).join(', ')}` : 'there are no settings';
      problems.push({ path: name, message: `unknown field \`${name}\`, ${known}` });
      continue;
    }
    const message = wrong(value, table[name]);
    if (message) problems.push({ path: name, message });
    else values[name] = value;
  }
  return { values, problems };
}
