// RFC 4825 clause 11: detailed conflict reports.
import { vectorsOf } from './vectors.ts';
import { xcapServer } from './xcap-server.ts';

const server = xcapServer();

vectorsOf('11', server);
