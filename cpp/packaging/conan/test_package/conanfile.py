"""A C and a C++ program that use the package."""

from pathlib import Path

from conan import ConanFile
from conan.tools.build import can_run
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout


class TestPackage(ConanFile):
    settings = "os", "compiler", "build_type", "arch"
    generators = "CMakeDeps", "VirtualRunEnv"

    def requirements(self):
        self.requires(self.tested_reference_str)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.user_presets_path = False  # no file in the source folder
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def test(self):
        if not can_run(self):
            return
        folder = Path(self.cpp.build.bindir).resolve()
        cpu = self.dependencies["drsformer"].options.with_onnxruntime
        self.run(f"{folder / 'plain_c'} {'cpu' if cpu else 'openvino'}", env="conanrun")
        self.run(str(folder / "cpp"), env="conanrun")
