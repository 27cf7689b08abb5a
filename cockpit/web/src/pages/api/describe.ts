// The description of the interface (OpenAPI 3.1 with JSON Schema 2020-12) as the page shows it: routes in groups, schemas as trees, an example of a
// body, a request as the line of a shell. Pure, so that it can be tested against the description that stands in docs/.

export interface Schema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  prefixItems?: Schema[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  examples?: unknown[];
  [limit: string]: unknown;
}

export interface Parameter {
  name: string;
  in: 'path' | 'query';
  required: boolean;
}

type Content = Record<string, { schema?: Schema }>;

interface Operation {
  summary: string;
  tags: string[];
  parameters?: Parameter[];
  requestBody?: { content: Content };
  security: Record<string, unknown>[];
  responses: Record<string, { description: string; content?: Content }>;
}

export interface Description {
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

export type Access = 'public' | 'session' | 'official' | 'citizen' | 'digest'; // session: whoever is signed in, programs too

export interface Route {
  id: string; // "post /hub/v1/query": its words, and its address in the page
  method: string;
  path: string;
  tag: string;
  summary: string;
  access: Access;
  parameters: Parameter[];
  body: Schema | null;
  bodyTypes: string[];
  answers: { status: string; types: { type: string; schema: Schema | null }[] }[];
}

/** A role is a name in the list of a scheme (OpenAPI 3.1). */
function accessOf(security: Record<string, unknown>[]): Access {
  if (security.some((s) => 'digest' in s)) return 'digest';
  const role = security.flatMap((s) => (Array.isArray(s.session) ? s.session : []))[0] as unknown;
  return role === 'official' || role === 'citizen' ? role : security.length ? 'session' : 'public';
}

export function routesOf(d: Description): Route[] {
  return Object.entries(d.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, o]): Route => {
    const body = Object.entries(o.requestBody?.content ?? {});
    return {
      id: `${method} ${path}`, method, path, tag: o.tags[0] ?? '', summary: o.summary, parameters: o.parameters ?? [],
      access: accessOf(o.security),
      body: body[0]?.[1].schema ?? null, bodyTypes: body.map(([type]) => type),
      answers: Object.entries(o.responses).map(([status, answer]) => ({
        status, types: Object.entries(answer.content ?? {}).map(([type, content]) => ({ type, schema: content.schema ?? null })) })),
    };
  }));
}

/** Routes whose every word stands in the summary (in either language), the path or the method; in groups, in the order of the description. */
export function groupsOf(routes: Route[], question: string, worded: (route: Route) => string): { tag: string; routes: Route[] }[] {
  const asked = question.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map<string, Route[]>();
  for (const route of routes) {
    const text = `${route.id} ${route.summary} ${worded(route)}`.toLowerCase();
    if (asked.every((word) => text.includes(word))) groups.set(route.tag, [...(groups.get(route.tag) ?? []), route]);
  }
  return [...groups].map(([tag, of]) => ({ tag, routes: of }));
}

export const refName = (schema: Schema): string => schema.$ref?.slice(schema.$ref.lastIndexOf('/') + 1) ?? '';
export const resolve = (d: Description, schema: Schema): Schema => (schema.$ref ? (d.components.schemas[refName(schema)] ?? {}) : schema);

const LIMITS: Record<string, string> = { minimum: '≥ ', maximum: '≤ ', minLength: 'length ≥ ', maxLength: 'length ≤ ', minItems: 'items ≥ ', maxItems: 'items ≤ ', minProperties: 'members ≥ ',
  maxProperties: 'members ≤ ', pattern: '', format: '' };

/** What stands behind a name, in one line: "text", "Field[]", "Ms | null", "\"calm\" | \"red\"". */
export function typeOf(schema: Schema): string {
  if (schema.$ref) return refName(schema);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(' | ');
  const parts = schema.anyOf ?? schema.oneOf;
  if (parts) return parts.map(typeOf).join(' | ');
  if (schema.allOf) return schema.allOf.map(typeOf).join(' & ');
  if (schema.prefixItems) return `[${schema.prefixItems.map(typeOf).join(', ')}]`;
  const types = [schema.type ?? []].flat();
  return types.map((type) => (type === 'array' && schema.items ? `${/ [|&] /.test(typeOf(schema.items)) ? `(${typeOf(schema.items)})` : typeOf(schema.items)}[]` : type)).join(' | ') || 'any';
}

export const limitsOf = (schema: Schema): string[] =>
  Object.entries(LIMITS).filter(([name]) => schema[name] !== undefined).map(([name, sign]) => sign + String(schema[name]));

export interface Branch {
  name: string; // of a member; "" for the parts of something
  required: boolean;
  schema: Schema;
}

/** What a schema holds: its members, the kind of its items, the forms that it can have. */
export function branchesOf(schema: Schema): Branch[] {
  const part = (s: Schema): Branch => ({ name: '', required: true, schema: s });
  const branches = Object.entries(schema.properties ?? {}).map(([name, s]): Branch => ({ name, required: schema.required?.includes(name) ?? false, schema: s }));
  const rest = schema.additionalProperties;
  if (rest && typeof rest === 'object' && Object.keys(rest).length) branches.push({ name: '*', required: false, schema: rest });
  for (const parts of [schema.anyOf, schema.oneOf, schema.allOf, schema.prefixItems]) if (parts) branches.push(...parts.filter((s) => holds(s)).map(part));
  if (schema.items && holds(schema.items)) branches.push(part(schema.items));
  return branches;
}

/** Is there more to tell than its type? */
export const holds = (schema: Schema): boolean => schema.$ref !== undefined || branchesOf(schema).length > 0;

/** A value of a schema: its own example where it has one, else the least that its form asks for. Depth is bounded: a schema may hold itself. */
export function exampleOf(d: Description, schema: Schema, depth = 0): unknown {
  const s = resolve(d, schema);
  if (s.examples?.length) return s.examples[0];
  if (s.const !== undefined) return s.const;
  if (s.enum) return s.enum[0];
  if (depth > 6) return null;
  const parts = s.anyOf ?? s.oneOf;
  if (parts?.length) return exampleOf(d, parts[0]!, depth + 1);
  if (s.allOf) return Object.assign({}, ...s.allOf.map((p) => exampleOf(d, p, depth + 1)));
  const type = [s.type ?? 'object'].flat()[0];
  if (type === 'array') {
    if (s.prefixItems) return s.prefixItems.map((p) => exampleOf(d, p, depth + 1));
    return s.items ? [exampleOf(d, s.items, depth + 1)] : [];
  }
  if (type === 'object') {
    const required = Object.entries(s.properties ?? {}).filter(([name]) => s.required?.includes(name));
    return Object.fromEntries(required.map(([name, p]) => [name, exampleOf(d, p, depth + 1)]));
  }
  if (type === 'integer' || type === 'number') return typeof s.minimum === 'number' ? s.minimum : 0;
  return { boolean: false, null: null }[type as 'boolean'] ?? (type === 'null' ? null : '');
}

export type Values = Record<string, string>;

/** Path and query with the values filled in; what is not given stays as `{name}`, so that one sees what is missing. A `{rest}` keeps its slashes. */
export function targetOf(route: Route, values: Values): string {
  const encoded = (value: string, isRest: boolean): string => (isRest ? value.split('/').map(encodeURIComponent).join('/') : encodeURIComponent(value));
  const path = route.path.replace(/\{(\w+)\}/g, (whole, name: string) => (values[name] ? encoded(values[name], name === 'rest') : whole));
  const query = route.parameters.filter((p) => p.in === 'query' && values[p.name]).map((p) => `${p.name}=${encodeURIComponent(values[p.name]!)}`);
  return query.length ? `${path}?${query.join('&')}` : path;
}

/** Names that are asked for and not given. */
export const missingOf = (route: Route, values: Values): string[] => route.parameters.filter((p) => p.required && !values[p.name]).map((p) => p.name);

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The same request from a shell: a program asks with its token, a person with the session's cookie in a file. */
export function curlOf(route: Route, origin: string, values: Values, body: string): string {
  const parts = ['curl -sS'];
  if (route.answers.some((a) => a.types.some((t) => t.type === 'text/event-stream'))) parts.push('-N');
  if (route.method !== 'get' && !(route.method === 'post' && route.body)) parts.push(`-X ${route.method.toUpperCase()}`);
  if (route.access === 'session') parts.push('-H "Authorization: Bearer $TOKEN"');
  if (route.access === 'official' || route.access === 'citizen') parts.push('-b cookies');
  if (route.access === 'digest') parts.push('--digest -u "$DEVICE:$PASSWORD"');
  if (route.body) parts.push(`-H 'Content-Type: application/json' -d ${quoted(body)}`);
  parts.push(quoted(origin + targetOf(route, values)));
  return parts.join(' ');
}

/** Can it be tried from the page, with the session of the official who looks at it? Not what begins or ends that session, and not what never ends. */
export function canTry(route: Route): boolean {
  const isStream = route.answers.some((a) => a.types.some((t) => t.type === 'text/event-stream'));
  const isSession = route.path === '/party/v1/session' && route.method !== 'get';
  return (route.method === 'get' || route.method === 'post') && route.access !== 'digest' && route.access !== 'citizen' && !isStream && !isSession;
}
