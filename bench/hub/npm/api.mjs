/*
 * A typical API over a database, as one writes it today: fastify, a token, a JSON body with a schema, one prepared statement, JSON back. It
 * takes and gives the same bytes as the hub's call, without a contract; with --evidence it writes a line into a logged table of the
 * database before it answers, the most that such an API does.
 *
 *     node api.mjs PORT TOKEN pg CONNECTION [--evidence]       node api.mjs PORT TOKEN sqlite FILE
 */
import { createHash } from 'node:crypto';
import Fastify from 'fastify';

const [port, token, engine, address, evidence] = process.argv.slice(2);
const SQL = "SELECT plate, plate_class, status FROM vehicle WHERE plate = $1 AND status <> 'E'";
const AUDIT = 'INSERT INTO audit (party, purpose, plate, asked_at) VALUES ($1, $2, $3, now()) RETURNING id';

async function openPg() {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({ connectionString: address, max: 16 });
  const ask = async (plate) => (await pool.query({ name: 'q', text: SQL, values: [plate] })).rows;
  if (!evidence) return async (party, purpose, plate) => ({ rows: await ask(plate) });
  return async (party, purpose, plate) => {
    const [audit, rows] = await Promise.all([pool.query({ name: 'a', text: AUDIT, values: [party, purpose, plate] }), ask(plate)]);
    return { rows, receipt: `audit/${audit.rows[0].id}` };
  };
}

async function openSqlite() {
  const { default: Database } = await import('better-sqlite3');
  const statement = new Database(address, { readonly: true }).prepare(SQL.replace('$1', '?'));
  return async (party, purpose, plate) => ({ rows: statement.all(plate) });
}

const ask = await (engine === 'pg' ? openPg() : openSqlite());
const parties = new Map([[createHash('sha256').update(token).digest('hex'), 'bench/scene']]);
const text = { type: 'string' };
const schema = {
  body: {
    type: 'object', required: ['purpose', 'key', 'fields'],
    properties: {
      purpose: text, fields: { type: 'array', maxItems: 64, items: text },
      key: { type: 'object', required: ['plate'], properties: { plate: text } },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: {
        rows: { type: 'array', items: { type: 'object', properties: { plate: text, plate_class: text, status: text } } }, receipt: text,
      },
    },
  },
};

const app = Fastify({ logger: false });
app.post('/call', { schema }, async (request, reply) => {
  const shown = (request.headers.authorization ?? '').replace(/^Bearer /, '');
  const party = parties.get(createHash('sha256').update(shown).digest('hex'));
  if (!party) return reply.code(401).send();
  return ask(party, request.body.purpose, request.body.key.plate);
});
await app.listen({ port: Number(port), host: '127.0.0.1' });
