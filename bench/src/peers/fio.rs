//! fio, where it is installed: an independent program that measures itself, by engine.

use std::io;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::measure::{Runner, Sample, Usage};
use crate::peers::{Kind, Peer, Shape};
use crate::plan::{Act, Workload};
use crate::task::Job;

/// The rows.
pub(super) const PEERS: [Peer; 2] = [
    Peer {
        id: "fio-libaio",
        label: "fio libaio",
        kind: Kind::Tool,
        shape: Shape::Shared,
        // The engine blocks where a file is not opened for direct I/O.
        applies: |workload| workload.direct,
        build: |job| build(job, "libaio"),
    },
    Peer {
        id: "fio-uring",
        label: "fio io_uring",
        kind: Kind::Tool,
        shape: Shape::Shared,
        applies: single_or_shared_out,
        build: |job| build(job, "io_uring"),
    },
];

/// One engine on one workload.
struct Fio {
    /// All arguments but the time.
    arguments: Vec<String>,
}

/// What fio can be asked for: threads that each keep an equal share of the depth in flight.
fn single_or_shared_out(workload: &Workload) -> bool {
    !workload.makes() && workload.act != Act::WriteSync && !workload.name.starts_with("scale")
}

/// Checks that fio is there and knows the engine.
fn build(job: &Arc<Job>, engine: &str) -> io::Result<Box<dyn Runner>> {
    let help = Command::new("fio")
        .arg(format!("--enghelp={engine}"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| io::Error::other(format!("fio is not installed ({error})")))?;
    if !help.status.success() {
        return Err(io::Error::other(format!("fio has no engine {engine}")));
    }
    let workload = job.workload;
    let pattern = match workload.act {
        Act::Write => "randwrite",
        Act::Mixed => "randrw",
        Act::Read | Act::WriteSync | Act::Create | Act::Cycle => "randread",
    };
    let arguments = vec![
        "--name=bench".into(),
        "--output-format=json".into(),
        "--thread".into(),
        "--group_reporting".into(),
        "--time_based".into(),
        "--norandommap".into(),
        "--random_generator=tausworthe64".into(),
        "--randrepeat=0".into(),
        "--invalidate=0".into(),
        "--allow_file_create=0".into(),
        "--gtod_reduce=1".into(),
        // Copies to an odd address take several times as long.
        "--iomem_align=4096".into(),
        "--rwmixread=70".into(),
        format!("--rw={pattern}"),
        format!("--ioengine={engine}"),
        format!("--filename={}", job.path().display()),
        format!("--direct={}", u8::from(workload.direct)),
        format!("--bs={}", workload.block),
        format!("--numjobs={}", workload.threads),
        format!("--iodepth={}", workload.depth / workload.threads),
    ];
    Ok(Box::new(Fio { arguments }))
}

impl Runner for Fio {
    fn verify(&mut self) -> io::Result<()> {
        // fio checks its own lengths; contents that it did not write it cannot check.
        Ok(())
    }

    fn round(&mut self, length: Duration) -> io::Result<Sample> {
        let output = Command::new("fio")
            .args(&self.arguments)
            .arg(format!("--runtime={}ms", length.as_millis()))
            .arg(format!("--ramp_time={}ms", length.as_millis() / 10))
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!("fio: {}", said.trim().replace('\n', " "))));
        }
        parse(&output.stdout).ok_or_else(|| io::Error::other("fio's report is not as expected"))
    }
}

/// Takes a sample from fio's report. CPU time is its percentage of all jobs' run time.
fn parse(report: &[u8]) -> Option<Sample> {
    // fio may print notes before the report.
    let start = report.iter().position(|&byte| byte == b'{')?;
    let report: Value = serde_json::from_slice(&report[start..]).ok()?;
    let job = report.get("jobs")?.get(0)?;
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_f64);
    let (read, write) = (job.get("read")?, job.get("write")?);
    let ops = number(read, "total_ios")? + number(write, "total_ios")?;
    let wall_ms = number(read, "runtime")?.max(number(write, "runtime")?);
    let busy_percent = number(job, "usr_cpu")? + number(job, "sys_cpu")?;
    let job_ms = number(job, "job_runtime")?;
    Some(Sample {
        ops: ops as u64,
        wall: Duration::from_secs_f64(wall_ms / 1e3),
        usage: Usage {
            cpu: Duration::from_secs_f64(busy_percent / 100.0 * job_ms / 1e3),
            switches: number(job, "ctx")? as u64,
        },
    })
}
