package bench.peers;

import eu.chargetime.ocpp.JSONConfiguration;
import eu.chargetime.ocpp.JSONServer;
import eu.chargetime.ocpp.ServerEvents;
import eu.chargetime.ocpp.feature.profile.ServerCoreEventHandler;
import eu.chargetime.ocpp.feature.profile.ServerCoreProfile;
import eu.chargetime.ocpp.model.SessionInformation;
import eu.chargetime.ocpp.model.core.AuthorizationStatus;
import eu.chargetime.ocpp.model.core.AuthorizeConfirmation;
import eu.chargetime.ocpp.model.core.AuthorizeRequest;
import eu.chargetime.ocpp.model.core.BootNotificationConfirmation;
import eu.chargetime.ocpp.model.core.BootNotificationRequest;
import eu.chargetime.ocpp.model.core.DataTransferConfirmation;
import eu.chargetime.ocpp.model.core.DataTransferRequest;
import eu.chargetime.ocpp.model.core.DataTransferStatus;
import eu.chargetime.ocpp.model.core.HeartbeatConfirmation;
import eu.chargetime.ocpp.model.core.HeartbeatRequest;
import eu.chargetime.ocpp.model.core.IdTagInfo;
import eu.chargetime.ocpp.model.core.MeterValuesConfirmation;
import eu.chargetime.ocpp.model.core.MeterValuesRequest;
import eu.chargetime.ocpp.model.core.RegistrationStatus;
import eu.chargetime.ocpp.model.core.StartTransactionConfirmation;
import eu.chargetime.ocpp.model.core.StartTransactionRequest;
import eu.chargetime.ocpp.model.core.StatusNotificationConfirmation;
import eu.chargetime.ocpp.model.core.StatusNotificationRequest;
import eu.chargetime.ocpp.model.core.StopTransactionConfirmation;
import eu.chargetime.ocpp.model.core.StopTransactionRequest;
import java.io.IOException;
import java.io.OutputStream;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A central system of Java-OCA-OCPP, as its documentation shows one. It serves ws://127.0.0.1:PORT/ocpp/{identity} until its
 * standard input closes.
 */
public final class CentralSystem implements ServerCoreEventHandler, ServerEvents {
  private static final int HEARTBEAT_INTERVAL_SECONDS = 300;

  // Its WebSocket library sometimes leaves an answer in the queue of a connection until something else is written there: with
  // the default of 60 seconds between pings a station waits that long, and the load gives up after 10.
  private static final int PING_INTERVAL_SECONDS = 5;

  private final AtomicInteger transactions = new AtomicInteger();

  public static void main(String[] arguments) throws IOException {
    CentralSystem system = new CentralSystem();
    JSONConfiguration configuration =
        JSONConfiguration.get().setParameter(JSONConfiguration.PING_INTERVAL_PARAMETER, PING_INTERVAL_SECONDS);
    JSONServer server = new JSONServer(new ServerCoreProfile(system), configuration);
    server.open("127.0.0.1", Integer.parseInt(arguments[0]), system);
    System.in.transferTo(OutputStream.nullOutputStream());
    System.exit(0);
  }

  private static ZonedDateTime now() {
    return ZonedDateTime.now(ZoneOffset.UTC);
  }

  private static IdTagInfo accepted() {
    return new IdTagInfo(AuthorizationStatus.Accepted);
  }

  @Override
  public AuthorizeConfirmation handleAuthorizeRequest(UUID session, AuthorizeRequest request) {
    return new AuthorizeConfirmation(accepted());
  }

  @Override
  public BootNotificationConfirmation handleBootNotificationRequest(UUID session, BootNotificationRequest request) {
    return new BootNotificationConfirmation(now(), HEARTBEAT_INTERVAL_SECONDS, RegistrationStatus.Accepted);
  }

  @Override
  public DataTransferConfirmation handleDataTransferRequest(UUID session, DataTransferRequest request) {
    return new DataTransferConfirmation(DataTransferStatus.UnknownVendorId);
  }

  @Override
  public HeartbeatConfirmation handleHeartbeatRequest(UUID session, HeartbeatRequest request) {
    return new HeartbeatConfirmation(now());
  }

  @Override
  public MeterValuesConfirmation handleMeterValuesRequest(UUID session, MeterValuesRequest request) {
    return new MeterValuesConfirmation();
  }

  @Override
  public StartTransactionConfirmation handleStartTransactionRequest(UUID session, StartTransactionRequest request) {
    return new StartTransactionConfirmation(accepted(), transactions.incrementAndGet());
  }

  @Override
  public StatusNotificationConfirmation handleStatusNotificationRequest(UUID session, StatusNotificationRequest request) {
    return new StatusNotificationConfirmation();
  }

  @Override
  public StopTransactionConfirmation handleStopTransactionRequest(UUID session, StopTransactionRequest request) {
    return new StopTransactionConfirmation();
  }

  @Override
  public void authenticateSession(SessionInformation information, String username, byte[] password) {}

  @Override
  public void newSession(UUID session, SessionInformation information) {}

  @Override
  public void lostSession(UUID session) {}
}
