//! Ports of the core.

use edge_moe_isa::arch::ArchConfig;
use verilated::{Model, Port};

use crate::Result;
use crate::memory::{Address, Beat, FromCore, ToCore, WriteBeat};

/// Clock, reset, interrupt and the register bus.
pub struct Ports {
    pub aclk: Port,
    pub aresetn: Port,
    pub interrupt: Port,
    pub awaddr: Port,
    pub awvalid: Port,
    pub awready: Port,
    pub wdata: Port,
    pub wstrb: Port,
    pub wvalid: Port,
    pub wready: Port,
    pub bresp: Port,
    pub bvalid: Port,
    pub bready: Port,
    pub araddr: Port,
    pub arvalid: Port,
    pub arready: Port,
    pub rdata: Port,
    pub rresp: Port,
    pub rvalid: Port,
    pub rready: Port,
}

impl Ports {
    pub fn find(model: &Model) -> Result<Self> {
        let port = |name: &str, width| model.port(name, width);
        let register = |name: &str, width| model.port(&format!("s_axi_{name}"), width);
        register("awprot", 3)?;
        register("arprot", 3)?;
        Ok(Self {
            aclk: port("aclk", 1)?,
            aresetn: port("aresetn", 1)?,
            interrupt: port("irq", 1)?,
            awaddr: register("awaddr", 12)?,
            awvalid: register("awvalid", 1)?,
            awready: register("awready", 1)?,
            wdata: register("wdata", 32)?,
            wstrb: register("wstrb", 4)?,
            wvalid: register("wvalid", 1)?,
            wready: register("wready", 1)?,
            bresp: register("bresp", 2)?,
            bvalid: register("bvalid", 1)?,
            bready: register("bready", 1)?,
            araddr: register("araddr", 12)?,
            arvalid: register("arvalid", 1)?,
            arready: register("arready", 1)?,
            rdata: register("rdata", 32)?,
            rresp: register("rresp", 2)?,
            rvalid: register("rvalid", 1)?,
            rready: register("rready", 1)?,
        })
    }
}

/// An address channel.
struct AddressPorts {
    valid: Port,
    ready: Port,
    id: Port,
    address: Port,
    len: Port,
    size: Port,
    burst: Port,
}

impl AddressPorts {
    fn find(model: &Model, prefix: &str) -> Result<Self> {
        let port = |name: &str, width| model.port(&format!("{prefix}{name}"), width);
        Ok(Self {
            valid: port("valid", 1)?,
            ready: port("ready", 1)?,
            id: port("id", 1)?,
            address: port("addr", 40)?,
            len: port("len", 8)?,
            size: port("size", 3)?,
            burst: port("burst", 2)?,
        })
    }

    fn sample(&self, model: &Model) -> Result<Option<Address>> {
        if model.get(self.valid)? == 0 {
            return Ok(None);
        }
        Ok(Some(Address {
            id: model.get(self.id)? as u8,
            address: model.get(self.address)?,
            len: model.get(self.len)? as u8,
            size: model.get(self.size)? as u8,
            burst: model.get(self.burst)? as u8,
        }))
    }
}

/// Read channels of a memory port.
struct ReadPorts {
    address: AddressPorts,
    valid: Port,
    ready: Port,
    id: Port,
    data: Port,
    response: Port,
    last: Port,
}

/// Write channels of a memory port.
struct WritePorts {
    address: AddressPorts,
    valid: Port,
    ready: Port,
    data: Port,
    strobe: Port,
    last: Port,
    answer_valid: Port,
    answer_ready: Port,
    answer_id: Port,
    answer: Port,
}

/// A memory port, and what it was driven with last.
pub struct MemoryPorts {
    reads: ReadPorts,
    writes: Option<WritePorts>,
    driven: ToCore,
}

impl MemoryPorts {
    pub fn find(model: &Model, arch: &ArchConfig, index: usize) -> Result<Self> {
        let port = |name: &str, width| model.port(&format!("m_axi_{index}_{name}"), width);
        let bus = arch.bus_bytes();
        let reads = ReadPorts {
            address: AddressPorts::find(model, &format!("m_axi_{index}_ar"))?,
            valid: port("rvalid", 1)?,
            ready: port("rready", 1)?,
            id: port("rid", 1)?,
            data: port("rdata", 8 * bus)?,
            response: port("rresp", 2)?,
            last: port("rlast", 1)?,
        };
        let writes = match index {
            0 => Some(WritePorts {
                address: AddressPorts::find(model, "m_axi_0_aw")?,
                valid: port("wvalid", 1)?,
                ready: port("wready", 1)?,
                data: port("wdata", 8 * bus)?,
                strobe: port("wstrb", bus)?,
                last: port("wlast", 1)?,
                answer_valid: port("bvalid", 1)?,
                answer_ready: port("bready", 1)?,
                answer_id: port("bid", 1)?,
                answer: port("bresp", 2)?,
            }),
            _ => None,
        };
        Ok(Self { reads, writes, driven: ToCore::default() })
    }

    /// Drives what changed since the last cycle; at first a model's inputs are all zero.
    pub fn drive(&mut self, model: &mut Model, next: &ToCore) -> Result<()> {
        let last = std::mem::replace(&mut self.driven, *next);
        if last == *next {
            return Ok(());
        }
        let reads = &self.reads;
        change(model, reads.address.ready, last.ar_ready, next.ar_ready)?;
        change(model, reads.valid, last.r.is_some(), next.r.is_some())?;
        if let Some(beat) = next.r.filter(|_| last.r != next.r) {
            model.set(reads.id, beat.id.into())?;
            model.set_words(reads.data, &beat.data[..reads.data.words()])?;
            model.set(reads.response, beat.response.into())?;
            model.set(reads.last, beat.last.into())?;
        }
        let Some(writes) = &self.writes else { return Ok(()) };
        change(model, writes.address.ready, last.aw_ready, next.aw_ready)?;
        change(model, writes.ready, last.w_ready, next.w_ready)?;
        change(model, writes.answer_valid, last.b.is_some(), next.b.is_some())?;
        if let Some(answer) = next.b.filter(|_| last.b != next.b) {
            model.set(writes.answer_id, answer.id.into())?;
            model.set(writes.answer, answer.response.into())?;
        }
        Ok(())
    }

    /// What the core drives; readiness only where it matters.
    pub fn sample(&self, model: &Model, to_core: &ToCore) -> Result<FromCore> {
        let ready = |offered: bool, port: Port| Ok::<_, crate::Error>(offered && model.get(port)? != 0);
        let mut from_core = FromCore {
            ar: self.reads.address.sample(model)?,
            r_ready: ready(to_core.r.is_some(), self.reads.ready)?,
            ..FromCore::default()
        };
        if let Some(writes) = &self.writes {
            from_core.aw = writes.address.sample(model)?;
            from_core.w = writes.sample(model)?;
            from_core.b_ready = ready(to_core.b.is_some(), writes.answer_ready)?;
        }
        Ok(from_core)
    }
}

impl WritePorts {
    fn sample(&self, model: &Model) -> Result<Option<WriteBeat>> {
        if model.get(self.valid)? == 0 {
            return Ok(None);
        }
        let mut data = Beat::default();
        model.get_words(self.data, &mut data[..self.data.words()])?;
        let (strobe, last) = (model.get(self.strobe)? as u16, model.get(self.last)? != 0);
        Ok(Some(WriteBeat { data, strobe, last }))
    }
}

fn change(model: &mut Model, port: Port, last: bool, next: bool) -> Result<()> {
    if last != next {
        model.set(port, next.into())?;
    }
    Ok(())
}
