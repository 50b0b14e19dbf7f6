//! A cluster of real processes on this machine: a coordinator, workers, and clients that speak to them.

use crate::binary;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(30);

/// Where the state lies and how it is reached.
#[derive(Debug, Clone)]
pub struct Place {
    pub url: String,
    /// Credentials and endpoint.
    pub environment: Vec<(String, String)>,
}

impl Place {
    /// A directory that all processes share.
    pub fn directory(path: &Path) -> Place {
        Place {
            url: path.to_string_lossy().into_owned(),
            environment: Vec::new(),
        }
    }

    /// The same, with one more variable for all processes.
    pub fn with(mut self, name: &str, value: &str) -> Place {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// One server process; killed when dropped.
#[derive(Debug)]
pub struct Server {
    pub child: Child,
    log: PathBuf,
}

impl Server {
    /// What it has written to stderr.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// As `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by its name, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "no signal {name}");
    }

    /// Whether it has ended by itself within `patience`.
    pub fn ends_within(&mut self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A coordinator and its workers.
#[derive(Debug)]
pub struct Cluster {
    pub folder: PathBuf,
    pub place: Place,
    pub address: String,
    pub coordinator: Server,
    pub workers: Vec<Server>,
    started: usize,
}

impl Cluster {
    /// Starts a coordinator and `workers` workers of one slot; logs go to `folder`.
    pub fn start(folder: &Path, place: Place, workers: usize) -> Cluster {
        Cluster::start_with(folder, place, workers, None)
    }

    /// The same, with a fault in the coordinator.
    pub fn start_with(folder: &Path, place: Place, workers: usize, fault: Option<&str>) -> Cluster {
        Cluster::start_on("127.0.0.1", folder, place, workers, fault)
    }

    /// The same, listening on an address of this machine.
    pub fn start_on(host: &str, folder: &Path, place: Place, workers: usize, fault: Option<&str>) -> Cluster {
        let address = format!("{host}:{}", free_port());
        let coordinator = coordinator(folder, &place, &[], &address, fault, 0);
        let mut cluster = Cluster::of(folder, place, address, coordinator);
        (0..workers).for_each(|_| cluster.add_worker(&[], None));
        cluster
    }

    /// A coordinator without workers, in the surroundings that the words before its command make.
    pub fn start_within(prefix: &[String], folder: &Path, place: Place) -> Cluster {
        let address = format!("127.0.0.1:{}", free_port());
        let coordinator = coordinator(folder, &place, prefix, &address, None, 0);
        Cluster::of(folder, place, address, coordinator)
    }

    fn of(folder: &Path, place: Place, address: String, coordinator: Server) -> Cluster {
        Cluster {
            folder: folder.to_owned(),
            place,
            address,
            coordinator,
            workers: Vec::new(),
            started: 1,
        }
    }

    /// One more worker: of one slot, or as the arguments say.
    pub fn add_worker(&mut self, arguments: &[&str], fault: Option<&str>) {
        self.add_worker_within(&[], arguments, fault);
    }

    /// One more worker, in the surroundings that the words before its command make.
    pub fn add_worker_within(&mut self, prefix: &[String], arguments: &[&str], fault: Option<&str>) {
        let log = self.folder.join(format!("worker-{}.log", self.started));
        let name = format!("worker-{}", self.started);
        self.started += 1;
        let url = self.url();
        let mut all = vec!["worker", "--coordinator", &url, "--name", &name];
        if arguments.is_empty() {
            all.extend(["--memory", "256MiB", "--slots", "1"]);
        }
        all.extend(arguments);
        self.workers.push(start(&self.folder, &self.place, prefix, &all, fault, log));
    }

    /// A new coordinator at the same address on the same state.
    pub fn restart_coordinator(&mut self, fault: Option<&str>) {
        self.coordinator.kill();
        self.coordinator = coordinator(&self.folder, &self.place, &[], &self.address, fault, self.started);
        self.started += 1;
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Runs a client command to its end.
    pub fn client(&self, arguments: &[&str]) -> binary::Run {
        let child = self
            .client_command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        binary::finish(child).unwrap_or_else(|why| panic!("{arguments:?}: {why}\n{}", self.logs()))
    }

    /// A client command that is not started yet.
    pub fn client_command(&self, arguments: &[&str]) -> Command {
        let mut command = binary::command(&self.folder, arguments);
        command
            .envs([binary::scratch_in(&self.folder)])
            .env("SHADOWDIFF_COORDINATOR", self.url())
            .envs(self.place.environment.clone());
        command
    }

    /// All logs, for a failure's message.
    pub fn logs(&self) -> String {
        let workers = self.workers.iter().map(Server::log).collect::<Vec<_>>().join("\n-- worker\n");
        format!("-- coordinator\n{}\n-- worker\n{workers}", self.coordinator.log())
    }
}

fn coordinator(folder: &Path, place: &Place, prefix: &[String], address: &str, fault: Option<&str>, number: usize) -> Server {
    let log = folder.join(format!("coordinator-{number}.log"));
    let arguments = ["coordinator", "--listen", address, "--state", &place.url, "--grace", "0s"];
    let mut server = start(folder, place, prefix, &arguments, fault, log);
    let until = Instant::now() + START;
    while !server.log().contains("unfinished jobs taken up") {
        let ended = server.child.try_wait().expect("a child can be asked");
        assert!(
            ended.is_none() && Instant::now() < until,
            "the coordinator does not start: {}",
            server.log()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    server
}

fn start(folder: &Path, place: &Place, prefix: &[String], arguments: &[&str], fault: Option<&str>, log: PathBuf) -> Server {
    let program = match fault {
        Some(_) => binary::beside("examples/shadowdiff_of_tests"),
        None => binary::path(),
    };
    let program = program.to_string_lossy().into_owned();
    let words: Vec<&str> = prefix
        .iter()
        .map(String::as_str)
        .chain([program.as_str()])
        .chain(arguments.iter().copied())
        .collect();
    let mut command = binary::command_of(Path::new(words[0]), folder, &words[1..]);
    command.envs(fault.map(|fault| ("SHADOWDIFF_FAULT", fault)));
    let file = std::fs::File::create(&log).expect("a log can be made");
    let child = command
        .envs([binary::scratch_in(folder)])
        .envs(place.environment.clone())
        .env("NO_COLOR", "1")
        .stdout(Stdio::null())
        .stderr(file)
        .spawn()
        .expect("the binary starts");
    Server { child, log }
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

/// A store server of another project, started by `tests/servers.py`; stopped when dropped.
#[derive(Debug)]
pub struct StoreServer {
    folder: PathBuf,
    pub pid: u32,
    pub place: Place,
}

impl StoreServer {
    /// Starts SeaweedFS, a real S3, with its data in `folder`.
    pub fn seaweedfs(folder: &Path) -> StoreServer {
        StoreServer::start("seaweedfs", folder)
    }

    /// Starts a server of a kind that the script knows, with its data in `folder`. The software is kept in `target/ci-tools`.
    pub fn start(kind: &str, folder: &Path) -> StoreServer {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/ci-tools/servers");
        let started = servers(&["start", kind, "--dir"])
            .arg(folder)
            .arg("--tools")
            .arg(tools)
            .output()
            .expect("python3 starts");
        let line = String::from_utf8_lossy(&started.stdout);
        let said: serde_json::Value = serde_json::from_str(line.trim())
            .unwrap_or_else(|e| panic!("no server: {e}: {line}{}", String::from_utf8_lossy(&started.stderr)));
        let text = |name: &str| said[name].as_str().expect("the script's answer has it").to_owned();
        let environment = said["environment"].as_object().expect("the script's answer has it");
        let environment = environment
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()));
        StoreServer {
            folder: folder.to_owned(),
            pid: said["pid"].as_u64().expect("a process id") as u32,
            place: Place {
                url: format!("{}state", text("url")),
                environment: environment.collect(),
            },
        }
    }
}

impl StoreServer {
    /// Uploads a file.
    pub fn put(&self, key: &str, file: &Path) {
        let done = servers(&["put"]).arg(self.folder.join("server.json")).arg(key).arg(file).output();
        let done = done.expect("python3 starts");
        assert!(done.status.success(), "{key}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// How many requests the server has answered so far: GET and HEAD, then PUT, POST and LIST.
    pub fn requests(&self) -> (u64, u64) {
        let said = servers(&["requests"])
            .arg(self.folder.join("server.json"))
            .output()
            .expect("python3 starts");
        let counts: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&said.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&said.stderr)));
        let of = |kind: &str| counts.get(kind).and_then(serde_json::Value::as_u64).unwrap_or(0);
        (of("GET") + of("HEAD"), of("PUT") + of("POST") + of("LIST"))
    }
}

impl Drop for StoreServer {
    fn drop(&mut self) {
        let _ = servers(&["stop"]).arg(self.folder.join("server.json")).output();
    }
}

fn servers(arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("servers.py"))
        .args(arguments);
    command
}
