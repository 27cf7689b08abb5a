// budget.mjs DIR: what a phone loads before it shows the first screen must stay under 200 KB (gzip). The build fails above it.
// Counted: index.html and every script and style it names (entry and its module preloads), not what is imported on demand.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const LIMIT = 200 * 1024;
const dir = process.argv[2] ?? 'dist';
const html = readFileSync(join(dir, 'index.html'), 'utf8');
const named = [...html.matchAll(/(?:src|href)="\/([^"]+)"/g)].map((m) => m[1]);
let total = 0;
for (const name of ['index.html', ...new Set(named)]) {
  const size = gzipSync(readFileSync(join(dir, name)), { level: 9 }).length;
  total += size;
  console.log(`first load  ${String(size).padStart(7)} B gzip  ${name} (${statSync(join(dir, name)).size} B)`);
}
console.log(`first load  ${String(total).padStart(7)} B gzip  in all, limit ${LIMIT}`);
if (total > LIMIT) {
  console.error('budget: the first load is too big; import it on demand');
  process.exit(1);
}
