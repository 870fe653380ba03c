package shop;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;

/** Answers {@code /healthz}, and the total of two orders elsewhere. */
public final class Orders {
  static int total(int... cents) {
    int sum = 0;
    for (int each : cents) sum = Math.addExact(sum, each);
    return sum;
  }

  public static void main(String[] args) throws IOException {
    HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
    server.createContext("/", exchange -> {
      boolean health = exchange.getRequestURI().getPath().equals("/healthz");
      byte[] body = (health ? "ok\n" : total(250, 999) + "\n").getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
    server.start();
  }
}
