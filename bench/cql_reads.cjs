// Point reads with npm's cassandra-driver, many at a time: the peer of bench_driver_reads.
//
//   node cql_reads.cjs NODE_MODULES HOST PORT KEYSPACE SECONDS IN_FLIGHT
const path = require("path");
const [modules, host, port, keyspace, seconds, inFlight] = process.argv.slice(2);
const cassandra = require(path.join(modules, "cassandra-driver"));

const ROWS = 100_000;
const CQL = "SELECT id, name, email, score, active, created_at FROM bench_rows WHERE id = ?";

async function main() {
  const client = new cassandra.Client({
    contactPoints: [`${host}:${port}`],
    localDataCenter: "datacenter1",
    keyspace,
    pooling: { maxRequestsPerConnection: 32768 },
  });
  await client.connect();
  await client.execute(CQL, [1], { prepare: true });
  let asked = 0;
  const begun = process.hrtime.bigint();
  const used = process.cpuUsage();
  const end = Date.now() + Number(seconds) * 1000;
  const reader = async () => {
    while (Date.now() < end) {
      const key = 1 + Math.floor(Math.random() * ROWS);
      const result = await client.execute(CQL, [key], { prepare: true });
      if (result.rows.length !== 1 || result.rows[0].id !== key) throw new Error(`no row ${key}`);
      asked += 1;
    }
  };
  await Promise.all(Array.from({ length: Number(inFlight) }, reader));
  const took = Number(process.hrtime.bigint() - begun) / 1e9;
  const { user, system } = process.cpuUsage(used);
  console.log(`${(asked / took).toFixed(0)} requests/s, ${((user + system) / asked).toFixed(1)} us of CPU each`);
  await client.shutdown();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
