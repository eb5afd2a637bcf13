"""Apache Cassandra 5 of Maven's packages, with small memory: one node, one with password and TLS, three nodes."""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time

from servers.service import Service, free_port, give_away, is_alive, started_at, terminate, unprivileged

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = pathlib.Path(__file__).resolve().parent / "cassandra"
JARS = ROOT / "build" / "cassandra" / "lib"
KEYSTORE_PASSWORD = "changeit"

SETTINGS = """
cluster_name: athena-test
num_tokens: 4
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: GossipingPropertyFileSnitch
dynamic_snitch: false
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [ {{ seeds: "{seeds}" }} ]
listen_address: {address}
rpc_address: {address}
storage_port: {storage_port}
native_transport_port: {port}
start_native_transport: true
authenticator: {authenticator}
authorizer: {authorizer}
role_manager: CassandraRoleManager
roles_validity: 0ms
permissions_validity: 0ms
credentials_validity: 0ms
data_file_directories: [ "{folder}/data" ]
commitlog_directory: "{folder}/commitlog"
saved_caches_directory: "{folder}/saved_caches"
hints_directory: "{folder}/hints"
cdc_raw_directory: "{folder}/cdc_raw"
commitlog_sync: periodic
commitlog_sync_period: 10s
commitlog_segment_size: 8MiB
commitlog_total_space: 64MiB
disk_access_mode: standard
memtable_heap_space: 64MiB
memtable_offheap_space: 64MiB
file_cache_size: 32MiB
networking_cache_size: 16MiB
key_cache_size: 4MiB
concurrent_reads: 8
concurrent_writes: 8
concurrent_counter_writes: 4
concurrent_compactors: 1
auto_snapshot: false
snapshot_before_compaction: false
materialized_views_enabled: true
user_defined_functions_enabled: true
"""
# Without the dynamic snitch a coordinator asks itself for the data, so that one that stalls stalls what it coordinates
# and nothing else.
PLACE = "dc=datacenter1\nrack=rack1\n"
TLS_SETTINGS = """
client_encryption_options:
  enabled: true
  optional: false
  keystore: {keystore}
  keystore_password: {password}
  store_type: PKCS12
"""
EXPORTS = """
java.base/jdk.internal.misc java.management.rmi/com.sun.jmx.remote.internal.rmi
java.management/com.sun.jmx.remote.security java.rmi/sun.rmi.registry java.rmi/sun.rmi.server
java.rmi/sun.rmi.transport.tcp java.sql/java.sql java.base/java.lang.ref java.base/java.lang.reflect
jdk.unsupported/sun.misc jdk.compiler/com.sun.tools.javac.file
""".split()
OPENS = """
java.base/java.lang.module java.base/jdk.internal.loader java.base/jdk.internal.ref java.base/jdk.internal.reflect
java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.util.jar java.base/sun.nio.ch
jdk.management/com.sun.management.internal java.base/java.io java.base/java.nio java.base/java.net
java.base/java.lang java.base/java.lang.reflect java.base/java.math java.base/java.util
java.base/java.util.concurrent java.base/java.util.concurrent.atomic java.base/jdk.internal.misc
""".split()
JAVA = ["java", "-XX:+UseSerialGC", "-XX:-UsePerfData"]
JAVA += [word for e in EXPORTS for word in ("--add-exports", f"{e}=ALL-UNNAMED")]
JAVA += [word for o in OPENS for word in ("--add-opens", f"{o}=ALL-UNNAMED")]
SIGNALS = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP, "resume": signal.SIGCONT}


def need_jars():
    """Downloads what pom.xml names, once."""
    if (JARS / "complete").exists():
        return
    shutil.rmtree(JARS, ignore_errors=True)
    JARS.mkdir(parents=True)
    work = JARS.parent / "pom.xml"
    shutil.copy(FILES / "pom.xml", work)
    subprocess.run(
        ["mvn", "-q", "-B", "-f", work, "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    (JARS / "complete").touch()


class Cassandra(Service):
    """One node on 127.0.0.1, without passwords."""

    name = "cassandra"
    nodes = 1
    heap = "512m"
    compiler = ["-XX:TieredStopAtLevel=1"]  # soon ready, and not fast
    secure = False

    def jars(self):
        """Where the server may read them: a checkout can lie where its user cannot go."""
        if os.geteuid() != 0:
            return JARS
        copy = self.folder.parent / "cassandra-lib"
        if not (copy / "complete").exists():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(JARS, copy)
        return copy

    def launch(self):
        need_jars()
        ports = {"port": free_port(), "storage_port": free_port()}
        pids = [self.launch_node(number, self.jars(), ports) for number in range(1, self.nodes + 1)]
        for number, pid in enumerate(pids, 1):
            self.wait_for_node(number, pid, ports["port"])
        hosts = ",".join(f"127.0.0.{number}:{ports['port']}" for number in range(1, self.nodes + 1))
        state = {
            "uri": f"scylla://{hosts}",
            "port": ports["port"],
            "storage_port": ports["storage_port"],
            "pid": pids[0],
            "pids": [[pid, started_at(pid)] for pid in pids],
            "log": str(self.folder / "n1" / "log"),
        }
        if self.secure:
            state["uri"] = f"scylla://cassandra:cassandra@localhost:{ports['port']}?tls=verify-full"
            state["ca"] = str(self.folder / "server.pem")
        return state

    def running(self):
        """Only if all of it does: a cluster that lost a node is started anew."""
        state = self.saved()
        return state if state and all(started_at(pid) == began for pid, began in state["pids"]) else None

    def clear(self):
        for pid, began in (self.saved() or {}).get("pids", []):
            if started_at(pid) == began:
                os.kill(pid, signal.SIGCONT)  # one that was paused could not end
                terminate(pid, began)
        super().clear()

    def node(self, number, action):
        """What happens to machines: `kill` (as by power), `start` after it, `pause` and `resume`; one more than there
        are may `join`, and `leave` again. Waits until it has happened."""
        with self.alone():
            state = self.saved()
            if action == "join":
                state["pids"].append([0, None])
            pid, began = state["pids"][number - 1]
            is_alive = began is not None and started_at(pid) == began
            if action in ("start", "join") and not is_alive:
                pid = self.launch_node(number, self.jars(), state)
                state["pids"][number - 1] = [pid, started_at(pid)]
                self.save(state)
                self.wait_for_node(number, pid, state["port"])
            elif action == "leave":
                self.decommission(number)
                terminate(*state["pids"].pop())
                self.save(state)
                shutil.rmtree(self.folder / f"n{number}")
            elif action in SIGNALS and is_alive:
                os.kill(pid, SIGNALS[action])
                while action == "kill" and started_at(pid) == began:
                    time.sleep(0.01)

    def decommission(self, number):
        arguments = ["-Dlogback.configurationFile=" + str(self.folder / f"n{number}" / "logback.xml")]
        arguments += [f"-Duser.home={self.folder / f'n{number}'}", "-cp", f"{self.jars()}/*"]
        arguments += ["org.apache.cassandra.tools.NodeTool", "-h", "127.0.0.1"]
        arguments += ["-p", (self.folder / f"n{number}" / "jmx").read_text(), "decommission"]
        subprocess.run(
            [*unprivileged(), *JAVA, *self.compiler, "-Xmx96m", *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def launch_node(self, number, jars, ports):
        folder = self.folder / f"n{number}"
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        settings = SETTINGS.format(
            folder=folder,
            address=f"127.0.0.{number}",
            seeds=",".join(f"127.0.0.{n}" for n in range(1, self.nodes + 1)),
            authenticator="PasswordAuthenticator" if self.secure else "AllowAllAuthenticator",
            authorizer="CassandraAuthorizer" if self.secure else "AllowAllAuthorizer",
            port=ports["port"],
            storage_port=ports["storage_port"],
        )
        if self.secure:
            settings += TLS_SETTINGS.format(keystore=self.make_keystore(), password=KEYSTORE_PASSWORD)
        (folder / "cassandra.yaml").write_text(settings)
        (folder / "rackdc.properties").write_text(PLACE)
        shutil.copy(FILES / "logback.xml", folder)
        for path in (folder, folder / "tmp"):
            give_away(path)
        jmx = free_port()
        (folder / "jmx").write_text(str(jmx))
        arguments = [*JAVA, *self.compiler, "-Xms64m", f"-Xmx{self.heap}", "-Xss512k", "-XX:MaxDirectMemorySize=256m"]
        arguments += [f"-javaagent:{next(jars.glob('jamm-*.jar'))}", "-Djdk.attach.allowAttachSelf=true"]
        properties = {
            "cassandra.config": f"file://{folder}/cassandra.yaml",
            "cassandra-rackdc.properties": f"file://{folder}/rackdc.properties",
            "cassandra.storagedir": folder,
            "cassandra.logdir": folder,
            "cassandra-foreground": "yes",
            "cassandra.jmx.local.port": jmx,
            "cassandra.superuser_setup_delay_ms": 0,
            # Those that begin together have nothing to wait for; who joins has to have heard of the others.
            **({"cassandra.skip_wait_for_gossip_to_settle": 0} if number <= self.nodes else {}),
            "cassandra.ring_delay_ms": 1000 if number <= self.nodes else 5000,
            "logback.configurationFile": folder / "logback.xml",
            "java.io.tmpdir": folder / "tmp",
            "jna.tmpdir": folder / "tmp",
            "io.netty.tryReflectionSetAccessible": "true",
            "file.encoding": "UTF-8",
        }
        arguments += [f"-D{key}={value}" for key, value in properties.items()]
        arguments += ["-cp", f"{jars}/*", "org.apache.cassandra.service.CassandraDaemon"]
        nobody_special = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            nobody_special = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        with open(folder / "log", "wb") as log:
            return subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
                **nobody_special,
            ).pid

    def wait_for_node(self, number, pid, port):
        log, deadline = self.folder / f"n{number}" / "log", time.monotonic() + 90
        while True:
            try:
                with socket.create_connection((f"127.0.0.{number}", port), timeout=1):
                    if "Starting listening for CQL clients" in log.read_text(errors="replace"):
                        return
            except OSError:
                pass
            if time.monotonic() > deadline or not is_alive(pid):
                raise SystemExit(f"Cassandra did not start; its log ends:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)

    def make_keystore(self):
        """A key of its own, for one name and no address, and its certificate beside it for those who verify it."""
        store = self.folder / "server.p12"
        common = ["-keystore", store, "-storepass", KEYSTORE_PASSWORD, "-alias", "server"]
        quiet = {"check": True, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(
            ["keytool", "-genkeypair", "-keyalg", "EC", "-storetype", "PKCS12", "-dname", "CN=localhost"]
            + ["-ext", "san=dns:localhost", "-validity", "3650", *common],
            **quiet,
        )
        subprocess.run(["keytool", "-exportcert", "-rfc", "-file", self.folder / "server.pem", *common], **quiet)
        store.chmod(0o644)
        return store


class CassandraSecure(Cassandra):
    """One node that wants TLS, and cassandra/cassandra."""

    name = "cassandra_secure"
    secure = True


class CassandraBench(Cassandra):
    """One node as it is meant to be run: what is measured beside it is not its interpreter."""

    name = "cassandra_bench"
    heap = "1g"
    compiler = []


class CassandraCluster(Cassandra):
    """Three nodes on 127.0.0.1, .2 and .3."""

    name = "cassandra_cluster"
    nodes = 3
    heap = "384m"
