// api.mjs FILE: the types of the brain's interface, from its description (docs/openapi.json), for src/api/. A test runs generate() too, and fails
// when the file that stands there is another one.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';

const DESCRIPTION = new URL('../../../docs/openapi.json', import.meta.url);
const HEAD = '// Generated from docs/openapi.json by tools/api.mjs (npm run api): the interface of the brain in types. Not to be edited.\n';

export async function generate() {
  const description = JSON.parse(readFileSync(fileURLToPath(DESCRIPTION), 'utf8'));
  const options = { rootTypes: true, rootTypesNoSchemaPrefix: true, rootTypesKeepCasing: true, emptyObjectsUnknown: true, silent: true };
  return HEAD + astToString(await openapiTS(description, options));
}

if (process.argv[2] && import.meta.url === pathToFileURL(process.argv[1]).href) writeFileSync(process.argv[2], await generate());
