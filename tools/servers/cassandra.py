"""Apache Cassandra 5 of Maven's packages, with small memory: one node, one with password and TLS, three nodes."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import time

from servers.service import Service, free_port, give_away, is_alive, started_at, terminate

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = pathlib.Path(__file__).resolve().parent / "cassandra"
JARS = ROOT / "build" / "cassandra" / "lib"
KEYSTORE_PASSWORD = "changeit"

SETTINGS = """
cluster_name: athena-test
num_tokens: 4
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
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
        user = "cassandra:cassandra@" if self.secure else ""
        hosts = ",".join(f"127.0.0.{number}:{ports['port']}" for number in range(1, self.nodes + 1))
        return {
            "uri": f"scylla://{user}{hosts}",
            "port": ports["port"],
            "pid": pids[0],
            "pids": [[pid, started_at(pid)] for pid in pids],
            "log": str(self.folder / "n1" / "log"),
        }

    def stop(self):
        state = self.running() or {}
        for pid, began in state.get("pids", [])[1:]:
            terminate(pid, began)
        super().stop()

    def launch_node(self, number, jars, ports):
        folder = self.folder / f"n{number}"
        (folder / "tmp").mkdir(parents=True)
        settings = SETTINGS.format(
            folder=folder,
            address=f"127.0.0.{number}",
            seeds=",".join(f"127.0.0.{n}" for n in range(1, self.nodes + 1)),
            authenticator="PasswordAuthenticator" if self.secure else "AllowAllAuthenticator",
            authorizer="CassandraAuthorizer" if self.secure else "AllowAllAuthorizer",
            **ports,
        )
        if self.secure:
            settings += TLS_SETTINGS.format(keystore=self.make_keystore(), password=KEYSTORE_PASSWORD)
        (folder / "cassandra.yaml").write_text(settings)
        shutil.copy(FILES / "logback.xml", folder)
        for path in (folder, folder / "tmp"):
            give_away(path)
        arguments = ["java", "-Xms64m", f"-Xmx{self.heap}", "-Xss512k", "-XX:+UseSerialGC"]
        arguments += ["-XX:MaxDirectMemorySize=256m", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
        arguments += [f"-javaagent:{next(jars.glob('jamm-*.jar'))}", "-Djdk.attach.allowAttachSelf=true"]
        arguments += [word for e in EXPORTS for word in ("--add-exports", f"{e}=ALL-UNNAMED")]
        arguments += [word for o in OPENS for word in ("--add-opens", f"{o}=ALL-UNNAMED")]
        properties = {
            "cassandra.config": f"file://{folder}/cassandra.yaml",
            "cassandra.storagedir": folder,
            "cassandra.logdir": folder,
            "cassandra-foreground": "yes",
            "cassandra.jmx.local.port": free_port(),
            "cassandra.superuser_setup_delay_ms": 0,
            "cassandra.skip_wait_for_gossip_to_settle": 0,
            "cassandra.ring_delay_ms": 1000,
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
        """A key of its own, and its certificate beside it for those who want to verify it."""
        store = self.folder / "server.p12"
        common = ["-keystore", store, "-storepass", KEYSTORE_PASSWORD, "-alias", "server"]
        quiet = {"check": True, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(
            ["keytool", "-genkeypair", "-keyalg", "EC", "-storetype", "PKCS12", "-dname", "CN=localhost"]
            + ["-ext", "san=dns:localhost,ip:127.0.0.1", "-validity", "3650", *common],
            **quiet,
        )
        subprocess.run(["keytool", "-exportcert", "-rfc", "-file", self.folder / "server.pem", *common], **quiet)
        store.chmod(0o644)
        return store


class CassandraSecure(Cassandra):
    """One node that wants TLS, and cassandra/cassandra."""

    name = "cassandra_secure"
    secure = True


class CassandraCluster(Cassandra):
    """Three nodes on 127.0.0.1, .2 and .3."""

    name = "cassandra_cluster"
    nodes = 3
    heap = "384m"
