// The decision over standard input and output, as `citybrain decide --stdio`: one question a line in, one answer a line out. Answers of the
// lines that came together go out together; nothing waits for a line that is still to come.
import { decide } from './decide.js';
import { LINE_MAX, NotOfThisForm, readQuestion } from './form.js';

function answer(line: Buffer): string {
  try {
    return JSON.stringify(decide(readQuestion(line))) + '\n';
  } catch (error) {
    if (!(error instanceof NotOfThisForm)) throw error;
    return JSON.stringify({ error: error.message }) + '\n';
  }
}

let rest: Buffer[] = [];
let rest_length = 0;

process.stdin.on('data', (chunk: Buffer) => {
  let answers = '';
  let start = 0;
  for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
    const tail = chunk.subarray(start, end);
    answers += answer(rest.length === 0 ? tail : Buffer.concat([...rest, tail]));
    rest = [];
    rest_length = 0;
    start = end + 1;
  }
  // Of a line past the limit no more is kept than shows that it is past it.
  if (start < chunk.length && rest_length <= LINE_MAX) {
    rest.push(chunk.subarray(start));
    rest_length += chunk.length - start;
  }
  if (answers !== '' && !process.stdout.write(answers)) {
    process.stdin.pause();
    process.stdout.once('drain', () => process.stdin.resume());
  }
});
process.stdin.on('end', () => {
  if (rest.length > 0) process.stdout.write(answer(Buffer.concat(rest)));
});
