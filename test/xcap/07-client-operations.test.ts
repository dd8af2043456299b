// RFC 4825 clause 7: client operations.
import { vectorsOf } from './vectors.ts';
import { xcapServer } from './xcap-server.ts';

const server = xcapServer();

vectorsOf('7', server);
