"""Conan 2 recipe, for the sources that it lies in.

conan create cpp/packaging/conan
"""

import re
from pathlib import Path

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy


class Drsformer(ConanFile):
    """Builds the library, and the backend modules that are asked for."""

    name = "drsformer"
    description = "Turns rainy images into clean ones with a model of drs-export"
    license = "Apache-2.0"
    topics = ("image-processing", "deraining", "onnx")
    package_type = "library"
    settings = "os", "compiler", "build_type", "arch"
    options = {
        "shared": [True, False],
        "fPIC": [True, False],
        "with_onnxruntime": [True, False],
        "with_openvino": [True, False],
    }
    default_options = {
        "shared": True,
        "fPIC": True,
        "with_onnxruntime": True,
        "with_openvino": False,
    }
    implements = ["auto_shared_fpic"]

    @property
    def _static_backend(self):
        """A static library has one backend in it."""
        if self.options.shared:
            return ""
        return "onnxruntime" if self.options.with_onnxruntime else "openvino"

    def set_version(self):
        source = Path(self.recipe_folder).parents[2] / "drsformer" / "__init__.py"
        self.version = re.search(r'^__version__ = "(.+)"$', source.read_text(), re.MULTILINE)[1]

    def export_sources(self):
        root = str(Path(self.recipe_folder).parents[2])
        # what cpp/CMakeLists.txt reads and installs
        documents = ("LICENSE", "NOTICE", "docs/cpp.md", "docs/glossary.md")
        for name in ("drsformer/__init__.py", *documents):
            copy(self, name, root, self.export_sources_folder)
        for folder in ("cmake", "src", "include", "backends", "third_party", "examples"):
            copy(self, f"cpp/{folder}/*", root, self.export_sources_folder)
        copy(self, "cpp/CMakeLists.txt", root, self.export_sources_folder)

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("drsformer is for Linux")
        if not (self.options.with_onnxruntime or self.options.with_openvino):
            raise ConanInvalidConfiguration("drsformer needs a backend: set with_onnxruntime=True")

    def layout(self):
        cmake_layout(self, src_folder=".")

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["DRSFORMER_TOOLS"] = False
        toolchain.cache_variables["DRSFORMER_STATIC_BACKEND"] = self._static_backend
        toolchain.cache_variables["DRSFORMER_ONNXRUNTIME"] = bool(self.options.with_onnxruntime)
        toolchain.cache_variables["DRSFORMER_OPENVINO"] = bool(self.options.with_openvino)
        # OpenVINO is the system's, or that of its wheel: -c user.drsformer:openvino_dir=...
        openvino = self.conf.get("user.drsformer:openvino_dir")
        if openvino:
            toolchain.cache_variables["OpenVINO_DIR"] = openvino
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure(build_script_folder="cpp")
        cmake.build()

    def package(self):
        CMake(self).install()
        documents = Path(self.package_folder) / "share" / "doc" / "drsformer"
        for pattern in ("LICENSE", "NOTICE", "third_party/*"):
            copy(self, pattern, str(documents), str(Path(self.package_folder) / "licenses"))

    def package_info(self):
        self.cpp_info.libs = ["drsformer"]
        self.cpp_info.set_property("cmake_file_name", "drsformer")
        self.cpp_info.set_property("cmake_target_name", "drsformer::drsformer")
        self.cpp_info.set_property("pkg_config_name", "drsformer")
        if not self.options.shared:
            self.cpp_info.defines = ["DRS_STATIC"]
            self.cpp_info.system_libs = ["stdc++", "m", "pthread", "dl"]
        # a library beside its modules finds them; programs with a static one need to be told
        self.runenv_info.define_path(
            "DRSFORMER_MODULES", str(Path(self.package_folder) / "lib" / "drsformer")
        )
