// Turns vitest's JSON report and the names of failed steps into one plain line, and an exit code that agrees with it.
import { existsSync, readFileSync } from 'node:fs';

const [results, ...failedSteps] = process.argv.slice(2);
const report = existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : undefined;

const passed = report?.numPassedTests ?? 0;
const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
// A file that cannot even be loaded has no tests that could fail.
const brokenFiles = (report?.testResults ?? []).filter(
  (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
);
const failedTests = report?.numFailedTests ?? 0;
// The test step fails without a failed test when the build, a peer or the runner itself does.
const stepsBesideTests = failedSteps.filter((step) => step !== 'test' || failedTests + brokenFiles.length === 0);
const failed = failedTests + brokenFiles.length + stepsBesideTests.length;

console.log('');
for (const file of brokenFiles) console.log(`failed to load or to clean up: ${file.name}`);
for (const step of stepsBesideTests) console.log(`failed step: ${step}`);
if (skipped > 0) console.log(`skipped tests: ${skipped}`);
if (report === undefined) console.log('no test report was written');
const nothingRan = passed + failed === 0;
if (nothingRan) console.log('no test ran');
console.log(`${passed} passed, ${failed + (nothingRan ? 1 : 0)} failed`);
process.exitCode = failed > 0 || nothingRan ? 1 : 0;
