// `node ask.ts URL`: asks whoever runs a scenario to do something (POST) and ends with 0 when it was done.
// SIPp scenarios change, delete and restart through shell commands; this is such a command.
const [url = ''] = process.argv.slice(2);
const response = await fetch(url, { method: 'POST' });
process.exitCode = response.ok ? 0 : 1;
