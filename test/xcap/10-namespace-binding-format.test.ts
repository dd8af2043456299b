// RFC 4825 clause 10: namespace binding format.
import { vectorsOf } from './vectors.ts';
import { xcapServer } from './xcap-server.ts';

const server = xcapServer();

vectorsOf('10', server);
