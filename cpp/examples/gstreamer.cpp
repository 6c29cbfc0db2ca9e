// Derains video in a GStreamer pipeline:  appsink -> derainer -> appsrc
//
//     gstreamer MODEL                                       # a test picture to nowhere
//     gstreamer MODEL "filesrc location=rainy.mp4 ! decodebin" "x264enc ! mp4mux ! filesink
//     location=clean.mp4"
//
// The frames are NV12, as decoders and encoders have them; their colour matrix and range go to the
// library with each frame.
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <gst/video/video.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

#include "drsformer/derainer.hpp"

namespace {

struct Unref {
    void operator()(GstSample *sample) const { gst_sample_unref(sample); }
    void operator()(GstMessage *message) const { gst_message_unref(message); }
    void operator()(GError *error) const { g_error_free(error); }
    void operator()(gpointer object) const { gst_object_unref(object); }
};
template <typename T>
using Owned = std::unique_ptr<T, Unref>;

// A running pipeline with one element that this program serves.
class Pipeline {
  public:
    explicit Pipeline(const std::string &description) {
        GError *error = nullptr;
        pipeline_.reset(gst_parse_launch(description.c_str(), &error));
        if (const Owned<GError> owned{error}) {
            throw std::runtime_error(description + ": " + owned->message);
        }
        own_.reset(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "own"));
        gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
    }
    ~Pipeline() { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); }
    Pipeline(const Pipeline &) = delete;
    Pipeline &operator=(const Pipeline &) = delete;

    GstElement *own() const { return own_.get(); }

    // Throws what an element of the pipeline has reported, or waits for it and for the end.
    void check(GstClockTime wait = 0) const {
        const Owned<GstBus> bus(gst_element_get_bus(pipeline_.get()));
        const auto kinds = static_cast<GstMessageType>(GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
        const Owned<GstMessage> message(gst_bus_timed_pop_filtered(bus.get(), wait, kinds));
        if (message && GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR) {
            GError *error = nullptr;
            gst_message_parse_error(message.get(), &error, nullptr);
            throw std::runtime_error(Owned<GError>(error)->message);
        }
    }

  private:
    Owned<GstElement> pipeline_;
    Owned<GstElement> own_;
};

std::int32_t matrix_of(const GstVideoInfo &info) {
    switch (info.colorimetry.matrix) {
        case GST_VIDEO_COLOR_MATRIX_BT709:
            return DRS_BT709;
        case GST_VIDEO_COLOR_MATRIX_BT2020:
            return DRS_BT2020;
        default:
            return DRS_BT601;
    }
}

// Derains the frame that a buffer holds.
void derain(drsformer::Derainer &derainer, GstBuffer *buffer, GstVideoInfo info) {
    GstVideoFrame frame;
    if (!gst_video_frame_map(&frame, &info, buffer, GST_MAP_READWRITE)) {
        throw std::runtime_error("a frame cannot be mapped");
    }
    const std::unique_ptr<GstVideoFrame, void (*)(GstVideoFrame *)> mapped(&frame,
                                                                           gst_video_frame_unmap);
    drsformer::ImageView view(frame.data[0], info.width, info.height, DRS_NV12,
                              static_cast<std::size_t>(frame.info.stride[0]));
    view.image.chroma = frame.data[1];
    view.image.chroma_stride = static_cast<std::size_t>(frame.info.stride[1]);
    view.image.matrix = matrix_of(info);
    view.image.range =
        info.colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255 ? DRS_FULL_RANGE : DRS_LIMITED_RANGE;
    derainer.derain(view);
}

// Derains a copy of a frame and hands it to the other pipeline.
void push_derained(drsformer::Derainer &derainer, GstSample *sample, GstAppSrc *clean) {
    GstCaps *const caps = gst_sample_get_caps(sample);
    GstVideoInfo info;
    gst_video_info_from_caps(&info, caps);
    gst_app_src_set_caps(clean, caps);
    GstBuffer *const copy = gst_buffer_copy_deep(gst_sample_get_buffer(sample));
    const std::unique_ptr<GstBuffer, void (*)(GstBuffer *)> owned(copy, gst_buffer_unref);
    derain(derainer, copy, info);
    gst_app_src_push_buffer(clean, gst_buffer_ref(copy));
}

void run(const std::string &model, const std::string &from, const std::string &to) {
    drsformer::Derainer derainer(model);
    const Pipeline source(from +
                          " ! videoconvert ! video/x-raw,format=NV12 ! "
                          "appsink name=own sync=false max-buffers=2");
    const Pipeline sink(
        "appsrc name=own format=time block=true max-bytes=20000000 ! "
        "videoconvert ! " +
        to);
    GstAppSink *const rainy = GST_APP_SINK(source.own());
    GstAppSrc *const clean = GST_APP_SRC(sink.own());
    int frames = 0;
    while (!gst_app_sink_is_eos(rainy)) {
        const Owned<GstSample> sample(gst_app_sink_try_pull_sample(rainy, GST_SECOND / 10));
        source.check();
        sink.check();
        if (sample) {
            push_derained(derainer, sample.get(), clean);
            ++frames;
        }
    }
    gst_app_src_end_of_stream(clean);
    sink.check(GST_CLOCK_TIME_NONE);
    std::printf("derained %d frames\n", frames);
}

}  // namespace

int main(int count, char **arguments) try {
    gst_init(&count, &arguments);
    if (count != 2 && count != 4) {
        throw std::runtime_error("usage: gstreamer MODEL [SOURCE SINK], as in gst-launch-1.0");
    }
    run(arguments[1], count == 4 ? arguments[2] : "videotestsrc num-buffers=5",
        count == 4 ? arguments[3] : "fakesink");
    return 0;
} catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
