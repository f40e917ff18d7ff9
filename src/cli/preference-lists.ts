/** The owners of each partition, who is asked first in front. */
export function preferenceLists(owners: Uint16Array, replicas: number, partitions: number): number[][] {
  return Array.from({ length: partitions }, (_, partition) => [
    ...owners.subarray(partition * replicas, (partition + 1) * replicas),
  ]);
}
