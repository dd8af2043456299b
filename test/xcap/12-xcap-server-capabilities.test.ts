// RFC 4825 clause 12: XCAP server capabilities.
import { vectorsOf } from './vectors.ts';
import { xcapServer } from './xcap-server.ts';

const server = xcapServer();

vectorsOf('12', server);
