//! What this machine has: cores, and memory with a container's limits counted in.

use std::fs;

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Whether the processor multiplies matrices faster in bfloat16 than in float32.
pub fn multiplies_bfloat16_faster() -> bool {
    is_bfloat16_faster(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
}

/// It is with AMX, and with AVX-512's own instruction on AMD's processors. Intel's have that instruction too, at half the
/// rate of float32's, and a virtual machine may hide their AMX.
fn is_bfloat16_faster(cpuinfo: &str) -> bool {
    let processor = Processor(cpuinfo);
    processor.has("amx_bf16") || (processor.has("avx512_bf16") && processor.is_amds())
}

/// Whether the processor has tiles for products of bfloat16.
pub fn has_amx() -> bool {
    Processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()).has("amx_bf16")
}

/// Whether oneDNN multiplies float32 matrices faster than MKL here, and in float32 (see `products`).
pub fn multiplies_faster_by_onednn() -> bool {
    is_onednn_faster(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
}

fn is_onednn_faster(cpuinfo: &str) -> bool {
    let processor = Processor(cpuinfo);
    processor.is_amds()
        && ["avx512bw", "avx512dq", "avx512vl"].iter().all(|flag| processor.has(flag))
        && !["amx_tile", "amx_bf16"].iter().any(|flag| processor.has(flag))
}

/// The first processor in a text such as `/proc/cpuinfo`.
struct Processor<'a>(&'a str);

impl Processor<'_> {
    fn value(&self, key: &str) -> &str {
        let line = self.0.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once(':').map_or("", |(_, value)| value.trim())
    }

    fn has(&self, flag: &str) -> bool {
        self.value("flags").split_whitespace().any(|known| known == flag)
    }

    fn is_amds(&self) -> bool {
        self.value("vendor_id") == "AuthenticAMD"
    }
}

/// Memory that is left for a run, in bytes: what the system calls available, or less where a cgroup allows less.
/// None where the system does not say.
pub fn memory_available_bytes() -> Option<u64> {
    let system = fs::read_to_string("/proc/meminfo").ok().and_then(|text| meminfo_bytes(&text, "MemAvailable"));
    [system, cgroup_left_bytes()].into_iter().flatten().min()
}

/// All memory of the machine or of its container, in bytes.
pub fn memory_total_bytes() -> Option<u64> {
    let system = fs::read_to_string("/proc/meminfo").ok().and_then(|text| meminfo_bytes(&text, "MemTotal"));
    [system, cgroup_limit_bytes()].into_iter().flatten().min()
}

/// The most memory that this process has held so far, in bytes.
pub fn memory_peak_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    meminfo_bytes(&status, "VmHWM")
}

/// Bytes as people read them: `7.9 GiB`, `512 MiB`.
pub fn format_bytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    let (unit, size) = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        .into_iter()
        .map(|(unit, size)| (unit, size as f64))
        .find(|(_, size)| bytes >= *size)
        .unwrap_or(("B", 1.0));
    let value = bytes / size;
    let places = usize::from(value < 99.95 && size > 1.0);
    format!("{value:.places$} {unit}")
}

fn cgroup_left_bytes() -> Option<u64> {
    let used = read_number("/sys/fs/cgroup/memory.current")
        .or_else(|| read_number("/sys/fs/cgroup/memory/memory.usage_in_bytes"))?;
    // The page cache counts as used and is given up when memory is wanted.
    let cache = fs::read_to_string("/sys/fs/cgroup/memory.stat")
        .or_else(|_| fs::read_to_string("/sys/fs/cgroup/memory/memory.stat"))
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("inactive_file "))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .unwrap_or(0);
    Some(cgroup_limit_bytes()?.saturating_sub(used.saturating_sub(cache)))
}

/// cgroup version 2, then version 1. Version 2 writes `max` for no limit, version 1 a number near 2^63.
fn cgroup_limit_bytes() -> Option<u64> {
    read_number("/sys/fs/cgroup/memory.max")
        .or_else(|| read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
        .filter(|limit| *limit < 1 << 60)
}

fn read_number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// One line of /proc/meminfo or /proc/self/status, such as `MemAvailable:   123 kB`.
fn meminfo_bytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_lines_are_found_by_their_whole_name() {
        let text = "MemTotal:       24000 kB\nMemAvailable:    1000 kB\nSwapTotalMem: 5 kB\n";
        assert_eq!(meminfo_bytes(text, "MemAvailable"), Some(1_024_000));
        assert_eq!(meminfo_bytes(text, "Mem"), None);
    }

    #[test]
    fn bfloat16_is_faster_with_amx_and_on_amds_processors_with_the_instruction() {
        let faster = |vendor: &str, flags: &str| {
            is_bfloat16_faster(&format!("processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: fma {flags} avx2\n"))
        };
        assert!(faster("GenuineIntel", "avx512_bf16 amx_bf16"));
        assert!(!faster("GenuineIntel", "avx512_bf16"));
        assert!(faster("AuthenticAMD", "avx512_bf16"));
        assert!(!faster("AuthenticAMD", "avx512f"));
        assert!(!is_bfloat16_faster(""));
    }

    #[test]
    fn onednn_is_asked_for_on_amds_processors_with_avx_512_and_without_amx() {
        let faster = |vendor: &str, flags: &str| {
            is_onednn_faster(&format!("processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: fma {flags} avx2\n"))
        };
        assert!(faster("AuthenticAMD", "avx512f avx512bw avx512dq avx512vl"));
        assert!(!faster("AuthenticAMD", "avx512f avx512bw avx512dq avx512vl amx_tile"));
        assert!(!faster("AuthenticAMD", ""));
        assert!(!faster("GenuineIntel", "avx512f avx512bw avx512dq avx512vl"));
    }

    #[test]
    fn this_machine_has_memory_and_a_core() {
        let total = memory_total_bytes().unwrap();
        assert!(memory_available_bytes().unwrap() <= total);
        assert!(memory_peak_bytes().unwrap() > 0);
        assert!(cores() >= 1);
    }

    #[test]
    fn bytes_read_well_at_every_size() {
        let cases =
            [(0, "0 B"), (1023, "1023 B"), (1 << 20, "1.0 MiB"), (8_482_560_410, "7.9 GiB"), (150 << 30, "150 GiB")];
        for (bytes, text) in cases {
            assert_eq!(format_bytes(bytes), text);
        }
    }
}
