import type {
  clusterSchema,
  conflictsSchema,
  eventSchema,
  explanationSchema,
  nodeSchema,
  ringSchema,
  sampleSchema,
} from '@memdb/clustermanager/parts/api/schemas.js';

/** What the REST API gives: the types of the schemas that it checks with. */
export type Cluster = (typeof clusterSchema)['_output'];
export type NodeDocument = (typeof nodeSchema)['_output'];
export type Ring = (typeof ringSchema)['_output'];
export type Sample = (typeof sampleSchema)['_output'];
export type ClusterEvent = (typeof eventSchema)['_output'];
export type Explanation = (typeof explanationSchema)['_output'];
export type Conflicts = (typeof conflictsSchema)['_output'];
