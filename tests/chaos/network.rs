//! The machines' network. As root every machine has a network namespace of its own, joined by a bridge, and packets are
//! dropped by nftables; the whole lives in one more namespace that ends with this process, so nothing outside is touched.
//! Without root everything is on the loopback, and the proxies stand in for the network.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

/// Set in the process that runs within its own namespace.
const INSIDE: &str = "MIXDOWN_CHAOS_INSIDE";
const HUB: &str = "10.213.0.1";

/// What a machine suffers from its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No packet of this TCP port passes.
    Port(u16),
    /// No packet passes.
    Everything,
    /// So many percent of packets are lost.
    Loss(u8),
}

/// The network of the farm.
pub struct Network {
    namespaces: bool,
    machines: u8,
}

/// A machine's place in it.
pub struct Place {
    /// Holds the namespace: ends with its standard input.
    holder: Option<Child>,
    /// Where it may listen.
    pub address: Ipv4Addr,
}

/// Runs this test again within a network namespace, when it is root and not there yet; tells whether the test is done.
pub fn run_inside(test: &str) -> bool {
    if !nix::unistd::Uid::effective().is_root() || std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let this = std::env::current_exe().expect("this program has a path");
    let inside = Command::new("unshare")
        .args(["--net", "--"])
        .arg(this)
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env(INSIDE, "yes")
        .status();
    assert!(inside.expect("unshare starts").success(), "see above");
    true
}

impl Network {
    /// Makes the bridge, as root.
    pub fn new() -> Self {
        let namespaces = std::env::var_os(INSIDE).is_some();
        if namespaces {
            ip("link set lo up");
            ip("link add hub type bridge");
            ip(&format!("addr add {HUB}/16 dev hub"));
            ip("link set hub up");
        }
        Self { namespaces, machines: 0 }
    }

    /// In words, for the report.
    pub fn kind(&self) -> &'static str {
        if self.namespaces { "namespaces, partitions and loss by nftables" } else { "TCP proxies on the loopback" }
    }

    /// Whether packets can be dropped.
    pub fn drops_packets(&self) -> bool {
        self.namespaces
    }

    /// Where services are reached.
    pub fn hub(&self) -> &'static str {
        if self.namespaces { HUB } else { "127.0.0.1" }
    }

    /// A place for one more machine.
    pub fn place(&mut self) -> Place {
        if !self.namespaces {
            return Place { holder: None, address: Ipv4Addr::LOCALHOST };
        }
        self.machines += 1;
        let number = self.machines;
        let holder = Command::new("unshare")
            // Says that it is there, then waits for the pipe to close.
            .args(["--net", "--", "sh", "-c", "echo there; read -r line"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut holder = holder.expect("unshare starts");
        let mut there = String::new();
        let stdout = holder.stdout.take().expect("stdout is piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut there).expect("stdout is read");
        let address = Ipv4Addr::new(10, 213, 1, number);
        ip(&format!("link add m{number} type veth peer name eth0 netns {}", holder.id()));
        ip(&format!("link set m{number} master hub up"));
        let place = Place { holder: Some(holder), address };
        for inside in ["link set lo up", &format!("addr add {address}/16 dev eth0"), "link set eth0 up"] {
            let done = place.command("ip").args(inside.split(' ')).status().expect("ip starts");
            assert!(done.success(), "ip {inside}");
        }
        place
    }
}

impl Place {
    /// A command that runs in this place.
    pub fn command(&self, program: &str) -> Command {
        match &self.holder {
            None => Command::new(program),
            Some(holder) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net=/proc/{}/ns/net", holder.id())).arg("--").arg(program);
                command
            }
        }
    }

    /// Lets these troubles and no others befall the machine; none, and all is well.
    pub fn suffer(&self, troubles: &[Trouble]) {
        let rules = |interface: &str| -> String {
            let rule = |trouble: &Trouble| match trouble {
                Trouble::Port(port) => format!("tcp dport {port} drop\ntcp sport {port} drop\n"),
                Trouble::Everything => format!("{interface} eth0 drop\n"),
                Trouble::Loss(percent) => format!("{interface} eth0 numgen random mod 100 < {percent} drop\n"),
            };
            troubles.iter().map(rule).collect()
        };
        let chain = |name: &str, interface: &str| {
            format!("chain {name} {{ type filter hook {name} priority 0\n{}}}\n", rules(interface))
        };
        let table = format!(
            "table inet chaos {{}}\ndelete table inet chaos\ntable inet chaos {{\n{}{}}}\n",
            chain("input", "iifname"),
            chain("output", "oifname")
        );
        let mut nft = self.command("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft starts");
        nft.stdin.take().expect("stdin is piped").write_all(table.as_bytes()).expect("nft reads");
        assert!(nft.wait().expect("nft is waited for").success(), "{table}");
    }

    /// A socket address here.
    pub fn socket(&self, port: u16) -> SocketAddr {
        (self.address, port).into()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(holder) = &mut self.holder {
            // One that has ended already is what is wanted.
            let _ = holder.kill();
            let _ = holder.wait();
        }
    }
}

fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split(' ')).status().expect("ip starts; `make chaos` installs it");
    assert!(done.success(), "ip {arguments}");
}
