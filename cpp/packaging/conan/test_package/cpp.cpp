// The C++ header works: a model that does not exist is an exception.
#include <drsformer/derainer.hpp>
#include <iostream>

int main() {
    try {
        drsformer::Derainer derainer("missing.onnx");
    } catch (const drsformer::Error &error) {
        std::cout << error.what() << '\n';
        return 0;
    }
    return 1;
}
